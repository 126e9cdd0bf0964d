import {
  to = healthcare_blueprint.clinic
  identity = {
    name = "clinic"
  }
}
