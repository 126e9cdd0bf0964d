package provider

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
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

	Refused *refusal `json:"refused,omitempty"`
}

// refusal is an error that the plan found and the apply returns.
//
// For a destroy, Terraform first plans as for an apply, to refresh the state, and an error in that plan
// ends it: nothing is destroyed. No provider can tell the two plans apart. So what speaks against
// creating or changing a tenant is a warning in the plan, and the apply refuses that one resource, before
// anything of it is changed. See ADR 15. Update and Delete read this. Create does not get it from the
// framework: there the service refuses, and nameRegistry.claim.
type refusal struct {
	Attribute string `json:"attribute"`
	Summary   string `json:"summary"`
	Detail    string `json:"detail"`
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
	if text, err := json.Marshal(n); err == nil { // Plain texts: it does not fail.
		diags.Append(private.SetKey(ctx, planNoteKey, text)...)
	}
}

// refuse turns the errors among what a plan has found into warnings, and notes the first for the apply.
func (n *planNote) refuse(found diag.Diagnostics, diags *diag.Diagnostics) {
	for _, d := range found {
		if d.Severity() != diag.SeverityError {
			diags.Append(d)
			continue
		}
		at := path.Root("name")
		if placed, ok := d.(diag.DiagnosticWithPath); ok {
			at = placed.Path()
		}
		if n.Refused == nil {
			root, _ := at.Steps().LastStep() // They are all about attributes of the resource.
			n.Refused = &refusal{Attribute: root.String(), Summary: d.Summary(), Detail: d.Detail()}
		}
		diags.AddAttributeWarning(at, d.Summary(), d.Detail()+"\n\nThe apply refuses this resource, and goes on with the others.")
	}
}

// addTo adds the refusal as an error, and reports whether there is one.
func (d *refusal) addTo(diags *diag.Diagnostics) bool {
	if d != nil {
		diags.AddAttributeError(path.Root(d.Attribute), d.Summary, d.Detail)
	}
	return d != nil
}

// noteOf begins the note on a tenant of the state.
func noteOf(state tenantModel) planNote {
	return planNote{TenantID: state.ID.ValueString(), Name: state.Name.ValueString(), SchemaName: state.SchemaName.ValueString()}
}
