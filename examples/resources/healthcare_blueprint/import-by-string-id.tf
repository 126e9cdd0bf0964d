import {
  to = healthcare_blueprint.clinic
  id = "clinic"
}
