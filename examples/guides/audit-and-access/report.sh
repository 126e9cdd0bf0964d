tenant-api access report --tenant "name:St. Mary's Clinic"
tenant-api access report --tenant "name:St. Mary's Clinic" --json
