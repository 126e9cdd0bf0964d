tenant-api tenants list --invitation expired
tenant-api tenants show "name:St. Mary's Clinic"
