tenant-api blueprints publish ./hospital --activate
tenant-api tenants adopt --from hospitals.csv --blueprint hospital --dry-run
tenant-api tenants adopt --from hospitals.csv --blueprint hospital
tenant-api tenants migrate --blueprint hospital
tenant-api tenants verify --offline
