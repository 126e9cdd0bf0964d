variable "tenant_api_url" {
  type    = string
  default = "https://tenants.platform.example"
}

provider "healthcare" {
  api        = { url = var.tenant_api_url } # The key is in TENANT_API_TOKEN.
  managed_by = "infrastructure/tenants"
}
