variable "eu_database_url" {
  type      = string
  sensitive = true
}

variable "us_database_url" {
  type      = string
  sensitive = true
}

provider "healthcare" { # Of no region: a resource without the argument provider is an error.
  database = { url = "none://write-the-argument-provider" }
}

provider "healthcare" {
  alias      = "eu"
  managed_by = "tenants/eu"
  database   = { url = var.eu_database_url }
}

provider "healthcare" {
  alias      = "us"
  managed_by = "tenants/us"
  database   = { url = var.us_database_url }
}
