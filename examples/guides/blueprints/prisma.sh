mkdir -p hospital/migrations
n=0
for folder in prisma/migrations/*/; do
  n=$((n + 1))
  name=$(basename "$folder")
  (echo '-- +goose Up'; grep -v '^CREATE SCHEMA' "$folder/migration.sql") > "hospital/migrations/$(printf %04d $n)_${name#*_}.sql"
done
tenant-api blueprints validate ./hospital
