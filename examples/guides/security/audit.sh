tenant-api audit --tenant "name:First Clinic"
tenant-api access report --tenant "name:First Clinic"
