ephemeral "random_password" "records" {
  length  = 40
  special = false
}

# Connected as the registry's user.
resource "postgresql_role" "records" {
  name                = "records_st_marys"
  login               = true
  roles               = [healthcare_tenant.clinic.database_role]
  search_path         = [healthcare_tenant.clinic.schema_name]
  password_wo         = ephemeral.random_password.records.result
  password_wo_version = 1 # Both numbers change together: another password.
}

resource "postgresql_grant" "records" {
  role        = postgresql_role.records.name
  database    = "healthcare"
  object_type = "database"
  privileges  = ["CONNECT"]
}

resource "vault_kv_secret_v2" "records" {
  mount = "applications"
  name  = "records/${healthcare_tenant.clinic.id}"
  data_json_wo = jsonencode({
    username = postgresql_role.records.name
    password = ephemeral.random_password.records.result
  })
  data_json_wo_version = 1
}
