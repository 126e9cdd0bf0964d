variable "suspended" {
  type    = bool
  default = false
}

variable "held" {
  type    = bool
  default = false
}

resource "healthcare_tenant" "lakeside" {
  name             = "Lakeside Practice"
  external_id      = "crm-4711"
  admin_email      = "ada@lakeside.example"
  admin_first_name = "Ada"
  admin_last_name  = "Lovelace"

  suspended           = var.suspended
  legal_hold          = { active = var.held, reason = "Case 2026-17" }
  deletion_protection = false
  deletion_policy     = "ARCHIVE"
  unarchive_existing  = true
}
