resource "healthcare_tenant" "lakeside" {
  name             = "Lakeside Practice"
  admin_first_name = "Katherine"
  admin_last_name  = "Johnson"
  admin_email      = "katherine@lakeside.example"
  blueprint        = "practice"
}

output "directory_id" {
  value     = healthcare_tenant.lakeside.outputs["directory_id"]
  sensitive = true
}
