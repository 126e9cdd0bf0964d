export DATABASE_URL='postgres://platform_2027:change-me@db.example:5432/platform?sslmode=verify-full'
export DATABASE_ROLE=platform_owner
tenant-api migrate up
