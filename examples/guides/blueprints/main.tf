resource "healthcare_tenant" "st_marys" {
  name             = "St. Mary's Clinic"
  admin_email      = "ada@st-marys.example"
  admin_first_name = "Ada"
  admin_last_name  = "Lovelace"
  blueprint        = "clinic"
  variables        = { region = "eu" }
}
