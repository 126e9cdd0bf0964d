pg_dump --format=custom --file=copy.dump "$DATABASE_URL"
pg_restore --no-owner --no-privileges --dbname="$COPY_URL" copy.dump
