# By id
terraform import healthcare_tenant.clinic 0198c5a4-7b1e-7c3a-9f52-3d1c8a7e4b60

# By the name of a live tenant
terraform import healthcare_tenant.clinic "name:St. Mary's Clinic"
