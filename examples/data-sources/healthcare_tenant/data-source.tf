# By name, without regard to case; id and external_id do as well.
data "healthcare_tenant" "clinic" {
  name = "St. Mary's Clinic"
}

output "clinic_schema" {
  value = data.healthcare_tenant.clinic.schema_name
}
