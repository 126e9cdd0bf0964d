resource "healthcare_tenant" "berlin" {
  provider         = healthcare.eu
  name             = "Lakeside Practice Berlin"
  admin_email      = "ada@lakeside.example"
  admin_first_name = "Ada"
  admin_last_name  = "Lovelace"
  metadata         = { region = "eu" }
}

resource "healthcare_tenant" "boston" {
  provider         = healthcare.us
  name             = "Lakeside Practice Boston"
  admin_email      = "grace@lakeside.example"
  admin_first_name = "Grace"
  admin_last_name  = "Hopper"
  metadata         = { region = "us" }
}
