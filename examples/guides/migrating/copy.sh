pg_dump --format=custom --file=old.dump "$DATABASE_URL"
pg_restore --no-owner --no-privileges --dbname="$COPY_URL" old.dump
