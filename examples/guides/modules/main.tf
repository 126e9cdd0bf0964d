terraform {
  required_providers {
    healthcare = { source = "healthcare-platform/healthcare" }
  }
}

provider "healthcare" {}

variable "clinics" {
  type = map(object({ name = string, email = string }))
  default = {
    lakeside = { name = "Lakeside Practice", email = "ada@lakeside.example" }
    hillside = { name = "Hillside Practice", email = "ada@hillside.example" }
  }
}

module "clinic" {
  source   = "./clinic"
  for_each = var.clinics

  key         = each.key
  name        = each.value.name
  environment = "staging"
  admin       = { email = each.value.email, first_name = "Ada", last_name = "Lovelace" }
}

output "schemas" {
  value = { for key, clinic in module.clinic : key => clinic.schema_name }
}
