resource "healthcare_blueprint" "clinic" {
  files    = { for name in fileset("${path.module}/clinic", "**") : name => file("${path.module}/clinic/${name}") }
  activate = false # New tenants keep the revision that is active.
}
