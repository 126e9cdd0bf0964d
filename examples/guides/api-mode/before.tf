provider "healthcare" {
  app_url    = "https://app.platform.example"
  managed_by = "infrastructure/tenants"
}
