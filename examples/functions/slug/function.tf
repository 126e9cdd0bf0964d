output "schema_begins_with" {
  value = provider::healthcare::slug("St. Mary's Clinic") # st_marys_clinic
}
