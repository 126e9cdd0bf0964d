# A login for the clinic's schema that is there while this run lasts.
ephemeral "healthcare_tenant_database_credentials" "import" {
  tenant_id = healthcare_tenant.clinic.id
  ttl       = "30m"
}

# It is in no state and no plan: it can go into a provider's configuration, into
# write-only arguments, and to a provisioner, as here.
resource "terraform_data" "records" {
  triggers_replace = [healthcare_tenant.clinic.id]

  provisioner "local-exec" {
    command = "psql --command 'SELECT count(*) FROM users'"
    environment = {
      PGHOST     = ephemeral.healthcare_tenant_database_credentials.import.host
      PGPORT     = ephemeral.healthcare_tenant_database_credentials.import.port
      PGDATABASE = ephemeral.healthcare_tenant_database_credentials.import.database
      PGUSER     = ephemeral.healthcare_tenant_database_credentials.import.username
      PGPASSWORD = ephemeral.healthcare_tenant_database_credentials.import.password
    }
  }
}

resource "healthcare_tenant" "clinic" {
  name             = "St. Mary's Clinic"
  admin_email      = "ada@st-marys.example"
  admin_first_name = "Ada"
  admin_last_name  = "Lovelace"
}
