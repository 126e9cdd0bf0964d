//go:build unix

package postgrestest

import (
	"reflect"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// OneFieldChanged returns, by field, the inputs with another valid value in that field, for
// each field of tenant.Inputs but password and blueprint. A test over them finds the place that a new
// field was not added to.
func OneFieldChanged(t *testing.T, from tenant.Inputs) map[string]tenant.Inputs {
	t.Helper()
	all := map[string]tenant.Inputs{}
	for field := range reflect.TypeFor[tenant.Inputs]().Fields() {
		if field.Type == reflect.TypeFor[tenant.Password]() {
			continue
		}
		if field.Name == "Blueprint" { // It never changes.
			continue
		}
		if field.Name == "UnarchiveExisting" || field.Name == "DeletionProtection" { // Equal does not compare them.
			continue
		}
		in := from
		value := reflect.ValueOf(&in).Elem().FieldByIndex(field.Index)
		switch {
		case field.Name == "AdminEmail":
			in.AdminEmail = "changed@clinic.example"
		case field.Name == "Locale":
			in.Locale = "de-AT"
		case field.Type.Kind() == reflect.String:
			value.SetString("Changed " + field.Name)
		case field.Type.Kind() == reflect.Bool:
			value.SetBool(!value.Bool())
		case field.Type == reflect.TypeFor[map[string]string]():
			value.Set(reflect.ValueOf(map[string]string{"changed": "yes"}))
		default:
			t.Fatalf("tenant.Inputs.%s is a %s: give OneFieldChanged a value for it", field.Name, field.Type)
		}
		all[field.Name] = in
	}
	return all
}
