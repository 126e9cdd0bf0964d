psql "$DATABASE_URL" --file=mapping.sql --file=inventory.sql --file=passwords.sql
