# With a platform for tests, whose settings are in the environment. Terraform destroys at the end
# what the runs have made; the module purges tenants of the environment test.
run "makes_a_tenant" {
  module {
    source = "./tests/live"
  }

  variables {
    name = "Lakeside Practice (test)"
  }

  assert {
    condition     = output.clinic.status == "ACTIVE"
    error_message = "The tenant is ${output.clinic.status}."
  }
}

run "renames_it_in_place" {
  module {
    source = "./tests/live"
  }

  variables {
    name = "Lakeside Clinic (test)"
  }

  assert {
    condition     = startswith(output.clinic.schema_name, "lakeside_practice_") # Chosen once, from the first name.
    error_message = "A new name replaces the tenant."
  }
}
