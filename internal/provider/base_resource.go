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

// baseResource is embedded in data sources, lists, actions and ephemeral resources. It
// holds the backend of the provider.
type baseResource struct{ *backend }

// setBackend stores the backend. data is nil before the provider is configured.
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

// nullableTime returns null for the zero time.
func nullableTime(t time.Time) types.String {
	if t.IsZero() {
		return types.StringNull()
	}
	return timestamp(t)
}

func checkUUID(s string) error {
	if _, err := uuid.Parse(s); err != nil {
		return fmt.Errorf("is not a UUID; give the tenant's id")
	}
	return nil
}
