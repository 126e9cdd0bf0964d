psql "$DATABASE_URL" --quiet --file=export.sql > tenants.csv
tenant-api blueprints publish ./legacy --activate
tenant-api tenants adopt --from tenants.csv --blueprint legacy --at-version 1 --dry-run
tenant-api tenants adopt --from tenants.csv --blueprint legacy --at-version 1
