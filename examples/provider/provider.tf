terraform {
  required_providers {
    healthcare = {
      source  = "healthcare-platform/healthcare"
      version = "~> 0.1"
    }
  }
}

variable "database_url" {
  type      = string
  sensitive = true
}

variable "deployer_secret" {
  type      = string
  sensitive = true
}

variable "smtp_password" {
  type      = string
  sensitive = true
}

provider "healthcare" {
  database = {
    url = var.database_url
  }

  soroban = {
    network         = "testnet"
    deployer_secret = var.deployer_secret
  }

  mail = {
    host     = "smtp.platform.example"
    username = "platform"
    password = var.smtp_password
    from     = "Platform <no-reply@platform.example>"
  }

  app_url    = "https://app.platform.example"
  managed_by = "infrastructure/tenants"
}
