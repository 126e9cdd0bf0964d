data "healthcare_blueprint" "clinic" {
  name = "clinic"
}

output "tenants_to_migrate" {
  value = "${data.healthcare_blueprint.clinic.tenants_behind} of ${data.healthcare_blueprint.clinic.tenants_total}"
}
