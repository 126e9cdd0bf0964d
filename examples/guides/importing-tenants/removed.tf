removed {
  from = healthcare_tenant.all

  lifecycle {
    destroy = false # Without this, the tenants would be archived.
  }
}
