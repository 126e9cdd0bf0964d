tenant-api tenants invite "name:St. Mary's Clinic"
