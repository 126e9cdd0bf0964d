terraform {
  required_providers {
    healthcare = {
      source  = "healthcare-platform/healthcare"
      version = "~> 0.1.0" # 0.1.x alone. Raise it by hand, with tenant-api.
    }
  }
}
