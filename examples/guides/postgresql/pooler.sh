export DATABASE_URL='postgres://platform:change-me@pgbouncer.example:6432/platform?sslmode=verify-full'
export DATABASE_DIRECT_URL='postgres://platform:change-me@db.example:5432/platform?sslmode=verify-full'
tenant-api tenants list
