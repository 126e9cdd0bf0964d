data "healthcare_tenant" "clinic" {
  name = "St. Mary's Clinic"
}

data "healthcare_tenant_provisioning_status" "clinic" {
  tenant_id = data.healthcare_tenant.clinic.id
}

output "clinic_steps" {
  value = { for s in data.healthcare_tenant_provisioning_status.clinic.steps : s.step => s.status }
}
