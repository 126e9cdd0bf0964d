package provider

import (
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/resource"
)

// TestTenant_AttributesAreEverywhere: an attribute that can be configured has a path for
// errors, and each attribute of the resource is one of the data source.
func TestTenant_AttributesAreEverywhere(t *testing.T) {
	t.Parallel()
	var managed resource.SchemaResponse
	(&tenantResource{}).Schema(t.Context(), resource.SchemaRequest{}, &managed)
	var data datasource.SchemaResponse
	(&tenantDataSource{}).Schema(t.Context(), datasource.SchemaRequest{}, &data)
	var paths []string
	for _, p := range attributePaths {
		paths = append(paths, p.String())
	}
	// Terraform's own, what no error of a tenant names, and what only a plan compares.
	noErrors := []string{"deletion_protection", "deletion_policy", "suspended", "legal_hold", "unarchive_existing", "admin_password_wo_version", "timeouts"}
	noData := append([]string{"admin_password_wo", "soroban_contract_state", "database_state"}, noErrors...)
	for name, attribute := range managed.Schema.Attributes {
		if (attribute.IsRequired() || attribute.IsOptional()) && !slices.Contains(paths, name) && !slices.Contains(noErrors, name) {
			t.Errorf("attributePaths has no %s", name)
		}
		if data.Schema.Attributes[name] == nil && !slices.Contains(noData, name) {
			t.Errorf("the data source has no %s", name)
		}
	}
}
