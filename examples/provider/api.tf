# Through a running tenant-api, which has the settings of database, network and
# mail. The token is better given as TENANT_API_TOKEN than here.
provider "healthcare" {
  alias = "through_api"
  api   = { url = "https://tenants.platform.example" }
}
