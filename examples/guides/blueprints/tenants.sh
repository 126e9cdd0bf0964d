terraform apply
tenant-api tenants list
