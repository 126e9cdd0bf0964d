variable "tenant_id" {
  type        = string
  description = "UUID of the archived tenant."
}

variable "confirm" {
  type        = string
  description = "Its name, typed out."
}

action "healthcare_tenant_purge" "clinic" {
  config {
    tenant_id = var.tenant_id
    confirm   = var.confirm
  }
}
