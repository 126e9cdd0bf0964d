terraform {
  required_version = ">= 1.7"

  required_providers {
    healthcare = { source = "healthcare-platform/healthcare" }
  }
}

resource "healthcare_tenant" "this" {
  name             = var.name
  external_id      = "${var.environment}/${var.key}"
  admin_email      = var.admin.email
  admin_first_name = var.admin.first_name
  admin_last_name  = var.admin.last_name
  metadata         = { environment = var.environment }

  deletion_protection = var.environment == "production"
  deletion_policy     = var.environment == "test" ? "PURGE" : "ARCHIVE"
}
