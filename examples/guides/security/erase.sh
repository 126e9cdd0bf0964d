tenant-api tenants archive "name:First Clinic"
tenant-api tenants purge "name:First Clinic" --confirm "First Clinic" > certificate.json
