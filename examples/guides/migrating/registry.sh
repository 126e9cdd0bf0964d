pg_dump --format=custom --file=old.dump "$DATABASE_URL"
psql "$DATABASE_URL" --single-transaction --file=old-registry.sql
tenant-api migrate up
tenant-api platform check
