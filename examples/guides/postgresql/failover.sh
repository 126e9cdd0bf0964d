export DATABASE_URL='postgres://platform:change-me@db1.example:5432,db2.example:5432/platform?sslmode=verify-full'
tenant-api tenants list
