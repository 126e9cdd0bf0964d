pg_dump --format=custom --file="old-$(date +%Y%m%dT%H%M%S).dump" "$DATABASE_URL"
psql "$DATABASE_URL" --single-transaction --file=old-registry.sql
tenant-api migrate up
tenant-api platform check
