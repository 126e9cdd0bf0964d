terraform {
  required_providers {
    healthcare = { source = "healthcare-platform/healthcare" }
  }
}

provider "healthcare" {
  allow_purge = true
}

variable "name" {
  type = string
}

module "clinic" {
  source = "../.."

  key         = "lakeside"
  name        = var.name
  environment = "test"
  admin       = { email = "ada@lakeside.example", first_name = "Ada", last_name = "Lovelace" }
}

output "clinic" {
  value = module.clinic
}
