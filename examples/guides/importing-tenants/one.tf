import {
  to = healthcare_tenant.clinic
  id = "name:St. Mary's Clinic"
}
