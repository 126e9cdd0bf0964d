provider "healthcare" {
  allow_purge = true
}

resource "healthcare_tenant" "lakeside" {
  deletion_policy = "PURGE"
}
