tenant-api tenants backup restore ./st-marys-backup --move-existing-to damaged
tenant-api tenants verify "name:St. Mary's Clinic"
psql --no-psqlrc --command 'DROP SCHEMA damaged CASCADE' "$DATABASE_URL" # Once it is not needed any more.
