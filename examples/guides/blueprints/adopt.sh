tenant-api blueprints publish ./hospital --activate
tenant-api tenants adopt --from hospitals.csv --blueprint hospital --at-version 8 --dry-run
tenant-api tenants adopt --from hospitals.csv --blueprint hospital --at-version 8
tenant-api tenants verify --offline
