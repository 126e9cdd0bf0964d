output "id" {
  description = "The tenant's UUID."
  value       = healthcare_tenant.this.id
}

output "status" {
  description = "ACTIVE once the tenant is live."
  value       = healthcare_tenant.this.status
}

output "schema_name" {
  description = "The schema with the clinic's data."
  value       = healthcare_tenant.this.schema_name
}
