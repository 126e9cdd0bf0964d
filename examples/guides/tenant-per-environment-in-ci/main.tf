terraform {
  required_version = ">= 1.11"

  required_providers {
    healthcare = {
      source  = "healthcare-platform/healthcare"
      version = "~> 0.1"
    }
  }

  # PG_CONN_STR has the address, PG_SCHEMA_NAME the schema: one for each environment.
  # Any other backend that locks does as well.
  backend "pg" {}
}

variable "environment" {
  type        = string
  description = "staging, production, or that of a pull request, such as pr_123."

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{1,30}$", var.environment))
    error_message = "Lower case letters, digits and underscores, beginning with a letter."
  }
}

# Database, network and mail server come from the environment's variables.
provider "healthcare" {
  managed_by = "clinic-app/${var.environment}"
}

resource "healthcare_tenant" "app" {
  name             = "Clinic App ${var.environment}"
  admin_email      = "clinic-app+${var.environment}@st-marys.example"
  admin_first_name = "Clinic"
  admin_last_name  = "App"

  metadata            = { environment = var.environment }
  deletion_protection = var.environment == "production"
  timeouts            = { create = "10m" }
}

output "tenant_id" {
  value = healthcare_tenant.app.id
}

output "schema_name" {
  value = healthcare_tenant.app.schema_name
}
