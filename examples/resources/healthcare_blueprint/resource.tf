resource "healthcare_blueprint" "clinic" {
  source_dir = "${path.module}/clinic"
}

resource "healthcare_tenant" "clinic" {
  name             = "St. Mary's Clinic"
  admin_email      = "ada@st-marys.example"
  admin_first_name = "Ada"
  admin_last_name  = "Lovelace"

  blueprint = healthcare_blueprint.clinic.name
  variables = { region = "us" }
}
