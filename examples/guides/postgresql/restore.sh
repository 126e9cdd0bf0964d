pg_dump --format=custom --file=platform.dump "$DATABASE_URL"

# The role that owns the schemas of tenants comes before them: else they would be the DBA's.
owner=$(psql --no-psqlrc -At --command 'SELECT schema_owner FROM registry' "$DATABASE_URL")
psql --no-psqlrc --quiet --command "CREATE ROLE $owner NOLOGIN" \
  'postgres://platform:change-me@new.example:5432/platform?sslmode=verify-full'

# The new server has the role platform, and a database of it. The roles of tenants do
# not exist there yet, which pg_restore reports. Each other error has to be understood.
if ! pg_restore --dbname="$DBA_URL" platform.dump 2> restore.log &&
  grep 'error:' restore.log | grep --invert-match 'role ".*" does not exist'; then
  exit 1
fi

export DATABASE_URL='postgres://platform:change-me@new.example:5432/platform?sslmode=verify-full'
tenant-api platform repair
tenant-api platform check
tenant-api tenants verify --offline
