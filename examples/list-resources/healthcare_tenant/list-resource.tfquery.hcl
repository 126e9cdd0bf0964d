list "healthcare_tenant" "active" {
  provider = healthcare
  config {
    status = "ACTIVE"
  }
}
