import {
  to = healthcare_tenant.clinic
  identity = {
    id = "0198c5a4-7b1e-7c3a-9f52-3d1c8a7e4b60"
  }
}
