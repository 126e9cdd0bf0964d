data "healthcare_tenants" "active" {
  status = "ACTIVE"
}

output "active_tenants" {
  value = { for t in data.healthcare_tenants.active.tenants : t.name => t.id }
}
