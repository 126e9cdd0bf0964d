psql "$DATABASE_URL" --single-transaction --file=back.sql
psql "$DATABASE_URL" --single-transaction --file=back-new.sql
