# Without a platform: the provider is mocked, and says what the test wants.
mock_provider "healthcare" {
  mock_resource "healthcare_tenant" {
    defaults = {
      id          = "0198c5a4-7b1e-7c3a-9f52-3d1c8a7e4b60"
      status      = "ACTIVE"
      schema_name = "lakeside_practice_1795361446831"
    }
  }
}

variables {
  key         = "lakeside"
  name        = "Lakeside Practice"
  environment = "production"
  admin       = { email = "ada@lakeside.example", first_name = "Ada", last_name = "Lovelace" }
}

run "production_is_protected" {
  assert {
    condition     = healthcare_tenant.this.deletion_protection && healthcare_tenant.this.deletion_policy == "ARCHIVE"
    error_message = "A tenant of production can be destroyed."
  }

  assert {
    condition     = output.schema_name == "lakeside_practice_1795361446831" && healthcare_tenant.this.external_id == "production/lakeside"
    error_message = "The outputs are not the tenant's."
  }
}

run "refuses_unknown_environments" {
  command = plan

  variables {
    environment = "qa"
  }

  expect_failures = [var.environment]
}
