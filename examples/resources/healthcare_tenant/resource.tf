resource "healthcare_tenant" "clinic" {
  name             = "St. Mary's Clinic"
  admin_email      = "ada@st-marys.example"
  admin_first_name = "Ada"
  admin_last_name  = "Lovelace"

  external_id = "crm-4711"
  metadata = {
    region = "eu-central"
    plan   = "standard"
  }

  deletion_protection = true

  timeouts = {
    create = "20m"
  }
}
