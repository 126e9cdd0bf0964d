package provider

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// TestSettings_Attributes compares the attributes that the list of settings names with those that
// the provider reads, which have their value under the same name in its schema.
func TestSettings_Attributes(t *testing.T) {
	t.Parallel()
	var resp provider.SchemaResponse
	newProvider("test", func(string) string { return "" }).Schema(t.Context(), provider.SchemaRequest{}, &resp)
	want := map[string]string{}
	for _, s := range config.Settings() {
		if s.Attribute != "" {
			want[s.Variable] = s.Attribute
		}
	}
	got := map[string]string{}
	block := func(name string) types.Object { return filledObject(t, resp.Schema, name) }
	read := func(m providerModel) {
		c := &settingsCollector{source: func(string) string { return "" }, values: map[string]string{}, paths: map[string]path.Path{}}
		var s settings
		if m.API.IsNull() {
			c.database(t.Context(), m, &s)
			c.soroban(t.Context(), m, &s)
			c.mail(t.Context(), m, &s)
		} else {
			c.api(t.Context(), m, &s)
		}
		for variable, at := range c.paths {
			got[variable] = at.String()
		}
	}
	read(providerModel{API: block("api")})
	read(providerModel{Database: block("database"), Soroban: block("soroban"), Mail: block("mail"), AppURL: types.StringValue("x")})
	if !maps.Equal(got, want) {
		t.Errorf("read: %v\nlisted: %v", got, want)
	}

	all := []string{"app_url"}
	for _, name := range []string{"api", "database", "soroban", "mail"} {
		for attribute := range blockOf(t, resp.Schema, name).Attributes {
			all = append(all, name+"."+attribute)
		}
	}
	all = slices.DeleteFunc(all, func(name string) bool { return name == "database.auto_migrate" }) // It has no variable.
	slices.Sort(all)
	if listed := slices.Sorted(maps.Values(want)); !reflect.DeepEqual(listed, all) {
		t.Errorf("listed: %v\nin the schema: %v", listed, all)
	}
}

func blockOf(t *testing.T, s schema.Schema, name string) schema.SingleNestedAttribute {
	t.Helper()
	block, ok := s.Attributes[name].(schema.SingleNestedAttribute)
	if !ok {
		t.Fatalf("%s is no block", name)
	}
	return block
}

// filledObject returns a block with a value in each attribute.
func filledObject(t *testing.T, s schema.Schema, name string) types.Object {
	t.Helper()
	kinds, values := map[string]attr.Type{}, map[string]attr.Value{}
	for attribute, a := range blockOf(t, s, name).Attributes {
		kinds[attribute] = a.GetType()
		switch kinds[attribute] {
		case types.StringType:
			values[attribute] = types.StringValue("x")
		case types.Int64Type:
			values[attribute] = types.Int64Value(1)
		case types.BoolType:
			values[attribute] = types.BoolValue(true)
		default:
			values[attribute] = types.MapValueMust(types.StringType, map[string]attr.Value{"A": types.StringValue("b")})
		}
	}
	object, diags := types.ObjectValue(kinds, values)
	if diags.HasError() {
		t.Fatal(diags)
	}
	return object
}
