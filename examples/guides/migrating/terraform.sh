psql "$DATABASE_URL" --quiet --tuples-only --no-align --file=imports.sql > imports.tf
terraform plan -generate-config-out=tenants.tf
terraform apply
rm imports.tf
terraform plan
