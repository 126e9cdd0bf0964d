export DATABASE_URL='postgres://platform_server:change-me@db.example:5432/platform?sslmode=verify-full'
tenant-api serve --worker=false --migrate=false
