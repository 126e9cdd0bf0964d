data "healthcare_tenants" "expired" {
  status            = "ACTIVE"
  invitation_status = "EXPIRED"
}

output "not_accepted_in_time" {
  value = [for t in data.healthcare_tenants.expired.tenants : t.name]
}
