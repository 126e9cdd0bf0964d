pg_dump --format=custom --file=platform.dump "$DATABASE_URL"

# The new server has the role platform, and a database of it. The roles of tenants do
# not exist there yet, which pg_restore reports.
pg_restore --dbname="$SUPERUSER_URL" platform.dump || echo "repairing what could not be restored"

export DATABASE_URL='postgres://platform:change-me@new.example:5432/platform?sslmode=verify-full'
tenant-api platform repair
tenant-api platform check
tenant-api tenants verify --offline
