psql "$DATABASE_URL" --single-transaction --file=after.sql
tenant-api tenants verify
