locals {
  tenants = {
    "St. Mary's Clinic" = { email = "ada@st-marys.example", first = "Ada", last = "Lovelace" }
    "City Hospital"     = { email = "grace@city.example", first = "Grace", last = "Hopper" }
  }
}

import {
  for_each = local.tenants
  to       = healthcare_tenant.all[each.key]
  id       = "name:${each.key}"
}

resource "healthcare_tenant" "all" {
  for_each         = local.tenants
  name             = each.key
  admin_email      = each.value.email
  admin_first_name = each.value.first
  admin_last_name  = each.value.last
}
