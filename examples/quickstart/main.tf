# A live healthcare tenant. The provider takes its settings from the environment
# (DATABASE_URL, SOROBAN_*, MAIL_*); "devstack" sets them for a laptop.
terraform {
  required_providers {
    healthcare = {
      source = "healthcare-platform/healthcare"
    }
  }
}

provider "healthcare" {}

resource "healthcare_tenant" "clinic" {
  name             = "St. Mary's Clinic"
  admin_email      = "ada@st-marys.example"
  admin_first_name = "Ada"
  admin_last_name  = "Lovelace"
}

output "id" {
  description = "The tenant's UUID."
  value       = healthcare_tenant.clinic.id
}

output "status" {
  description = "ACTIVE once all seven steps are done."
  value       = healthcare_tenant.clinic.status
}

output "schema_name" {
  description = "PostgreSQL schema with the tenant's data."
  value       = healthcare_tenant.clinic.schema_name
}

output "soroban_contract_id" {
  description = "The tenant's contract on the Stellar network."
  value       = healthcare_tenant.clinic.soroban_contract_id
}
