tenant-api migrate status               # 3: something is behind
tenant-api tenants backup create "name:First Clinic" ./drill
tenant-api contracts list
tenant-api access report --tenant "name:First Clinic"
