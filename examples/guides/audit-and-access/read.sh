tenant-api audit
tenant-api audit --tenant "name:St. Mary's Clinic"
tenant-api audit --tenant "name:St. Mary's Clinic" --after 1 --limit 100 --json
