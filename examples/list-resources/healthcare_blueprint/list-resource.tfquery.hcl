list "healthcare_blueprint" "all" {
  provider = healthcare
}
