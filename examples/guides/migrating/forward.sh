psql "$DATABASE_URL" --single-transaction --file=forward.sql
tenant-api platform repair
tenant-api tenants verify
