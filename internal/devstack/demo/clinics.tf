terraform {
  required_providers {
    healthcare = { source = "healthcare-platform/healthcare" }
  }
}

provider "healthcare" {}

resource "healthcare_tenant" "clinic" {
  for_each = toset(["Harbour Clinic", "Hill Clinic", "Riverside Clinic"])

  name             = each.key
  admin_email      = "grace@clinic.example"
  admin_first_name = "Grace"
  admin_last_name  = "Hopper"
  blueprint        = "clinic"
}
