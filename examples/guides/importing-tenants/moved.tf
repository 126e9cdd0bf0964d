moved {
  from = healthcare_tenant.clinic
  to   = healthcare_tenant.all["St. Mary's Clinic"]
}
