package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// tenantSchemaVersion is the version of the resource's state schema. A release that
// changes the meaning or type of an attribute raises it and adds an upgrader from each
// earlier version; a release that only adds attributes does not.
//
//	0  before the first release
//	1  0.1.0
const tenantSchemaVersion = 1

var _ resource.ResourceWithUpgradeState = (*tenantResource)(nil)

// UpgradeState reads states of earlier versions.
func (r *tenantResource) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	return map[int64]resource.StateUpgrader{
		0: {StateUpgrader: r.upgradeUnchanged},
	}
}

// upgradeUnchanged upgrades from versions whose attributes have the same meaning as now.
// A new attribute is null until the tenant is read; a removed one is dropped.
func (r *tenantResource) upgradeUnchanged(ctx context.Context, req resource.UpgradeStateRequest, resp *resource.UpgradeStateResponse) {
	var current resource.SchemaResponse
	r.Schema(ctx, resource.SchemaRequest{}, &current)
	kind := current.Schema.Type().TerraformType(ctx)
	opts := tfprotov6.UnmarshalOpts{}
	opts.ValueFromJSONOpts.IgnoreUndefinedAttributes = true
	value, err := req.RawState.UnmarshalWithOpts(kind, opts)
	if err == nil {
		var upgraded tfprotov6.DynamicValue
		if upgraded, err = tfprotov6.NewDynamicValue(kind, value); err == nil {
			resp.DynamicValue = &upgraded
			return
		}
	}
	resp.Diagnostics.AddError("State cannot be read", "The state of a healthcare_tenant was written by an earlier version of this provider and cannot be decoded: "+err.Error()+
		".\n\nNothing was changed. Remove the resource from the state and import it again: terraform state rm ADDRESS, and terraform import ADDRESS ID.")
}
