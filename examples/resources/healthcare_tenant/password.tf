variable "admin_password" {
  type      = string
  sensitive = true
  ephemeral = true # In no plan and no state; give it to each run, as TF_VAR_admin_password.
}

resource "healthcare_tenant" "clinic" {
  name             = "St. Mary's Clinic"
  admin_email      = "ada@st-marys.example"
  admin_first_name = "Ada"
  admin_last_name  = "Lovelace"

  admin_password_wo         = var.admin_password
  admin_password_wo_version = 1 # Another number sets the password again.
}
