terraform state show healthcare_tenant.clinic          # all that Terraform knows of it
tenant-api tenants show "name:St. Mary's Clinic"       # the registry's record and the seven steps
tenant-api contracts show "name:St. Mary's Clinic"     # the contract, as the ledger has it now
