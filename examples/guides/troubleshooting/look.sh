tenant-api tenants list --status FAILED
tenant-api tenants show "name:St. Mary's Clinic"      # status, error, and every step of every attempt
tenant-api tenants verify "name:St. Mary's Clinic"    # audit chains, schema, role, contract; ends with 3 if there are findings
tenant-api tenants repair "name:St. Mary's Clinic"    # repairs its database role
tenant-api contracts show "name:St. Mary's Clinic"    # the contract, as the ledger has it now
