psql "$DATABASE_URL" --single-transaction --file=back.sql --file=back-new.sql
