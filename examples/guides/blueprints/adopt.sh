tenant-api tenants adopt --from clinics.csv --blueprint clinic_platform --at-version 2 --dry-run
tenant-api tenants adopt --from clinics.csv --blueprint clinic_platform --at-version 2
tenant-api tenants verify --offline
