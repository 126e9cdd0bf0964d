psql "$DATABASE_URL" --quiet --tuples-only --no-align \
  --command="SELECT name FROM legacy.mapping WHERE status = 'ARCHIVED'" |
  while IFS= read -r name; do
    tenant-api tenants archive "name:$name" < /dev/null || exit 1
  done
