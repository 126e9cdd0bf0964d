variable "tenant_id" {
  type        = string
  description = "UUID of the tenant."
}

action "healthcare_tenant_suspend" "clinic" {
  config {
    tenant_id = var.tenant_id
  }
}
