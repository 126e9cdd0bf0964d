package provider

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// diagnostics is what the framework returns for a conversion.
type diagnostics = diag.Diagnostics

// baseResource is what data sources, lists, actions and ephemeral resources have of
// the provider.
type baseResource struct{ *backend }

// setBackend takes over the backend. Before the provider is configured there is none.
func (c *baseResource) setBackend(data any, diags *diag.Diagnostics) {
	if data == nil {
		return
	}
	b, ok := data.(*backend)
	if !ok {
		unexpectedProviderData(data, diags)
		return
	}
	c.backend = b
}

// unexpectedProviderData reports data of the framework that is not this provider's backend.
func unexpectedProviderData(data any, diags *diag.Diagnostics) {
	diags.AddError("Unexpected provider data type", fmt.Sprintf("The provider's data has the type %T. This is a defect of the provider; report it.", data))
}

// nullableTime is null for what has not happened.
func nullableTime(t time.Time) types.String {
	if t.IsZero() {
		return types.StringNull()
	}
	return timestamp(t)
}

func checkUUID(s string) error {
	if _, err := uuid.Parse(s); err != nil {
		return fmt.Errorf("is no UUID; give the tenant's id")
	}
	return nil
}
