terraform {
  required_providers {
    healthcare = { source = "healthcare-platform/healthcare" }
  }
}

provider "healthcare" {}

resource "healthcare_tenant" "practice" {
  for_each = {
    "Harbour Practice"   = { first = "Grace", last = "Hopper", email = "grace@harbour.example" }
    "Hill Practice"      = { first = "Ada", last = "Lovelace", email = "ada@hill.example" }
    "Riverside Practice" = { first = "Alan", last = "Turing", email = "alan@riverside.example" }
  }

  name             = each.key
  admin_first_name = each.value.first
  admin_last_name  = each.value.last
  admin_email      = each.value.email
  blueprint        = "practice"
}
