package provider

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// planNoteKey is the private-data key of what a plan says about the tenant that is in the state.
//
// Terraform plans a replacement twice, as a change and then as a new resource, and hands the private
// data of the first plan to the second one, and that of the second one to Delete. So Delete knows what
// the plan said, although it sees neither configuration nor plan. It is written by each plan.
//
// Terraform drops the warnings of the second plan. So what a replacement does to data is said and decided
// in the first one, which sees every cause of a replacement but -replace and replace_triggered_by.
const planNoteKey = "plan"

// planNote is the value of planNoteKey.
type planNote struct {
	TenantID   string `json:"tenant_id"`
	Name       string `json:"name,omitempty"`
	SchemaName string `json:"schema_name,omitempty"`
	Purge      bool   `json:"purge,omitempty"`      // The plan warned that the data are deleted.
	KeepsData  bool   `json:"keeps_data,omitempty"` // The configuration says ARCHIVE.
}

// readPlanNote returns the zero value if there is none, as in the plan of a new or tainted resource.
func readPlanNote(ctx context.Context, private privateData) (n planNote) {
	if text, _ := private.GetKey(ctx, planNoteKey); len(text) > 0 {
		_ = json.Unmarshal(text, &n) // It was written by this provider.
	}
	return n
}

// save writes the note, or removes that of an earlier plan.
func (n planNote) save(ctx context.Context, private privateWriter, diags *diag.Diagnostics) {
	if n == (planNote{}) {
		diags.Append(private.SetKey(ctx, planNoteKey, nil)...)
		return
	}
	text, err := json.Marshal(n)
	if err != nil {
		diags.AddError("Plan cannot be stored", "The provider's note on the plan: "+err.Error()+". This is a defect of the provider; report it.")
		return
	}
	diags.Append(private.SetKey(ctx, planNoteKey, text)...)
}

// noteOf begins the note on a tenant of the state.
func noteOf(state tenantModel) planNote {
	return planNote{TenantID: state.ID.ValueString(), Name: state.Name.ValueString(), SchemaName: state.SchemaName.ValueString()}
}
