package provider

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// inspect reads a tenant, together with all that are read at the moment.
func (b *backend) inspect(ctx context.Context, id uuid.UUID) (inspection.Inspection, error) {
	if _, err := b.open(ctx); err != nil {
		return inspection.Inspection{}, err
	}
	return b.tenantReader.inspect(ctx, id)
}

// setCreatedDatabaseState puts into the model what a run has just made.
func setCreatedDatabaseState(m *tenantModel, t tenant.Tenant) {
	m.DatabaseState = types.StringNull()
	if t.Status == tenant.StatusActive {
		m.DatabaseState = types.StringValue(string(inspection.DatabaseInSync))
	}
}

// setFoundDatabaseState puts into the model what an inspection found.
func setFoundDatabaseState(ctx context.Context, m *tenantModel, i inspection.Inspection) {
	m.DatabaseState = nullableString(string(i.Database))
	for _, drift := range i.DatabaseDrift {
		tflog.Warn(ctx, "what the tenant has in the database is not as it was made: "+drift, map[string]any{"tenant_id": i.Tenant.ID.String()})
	}
}

// planDatabase plans to put a tenant's role right, and refuses where nobody but a
// person can help. It reports whether something is planned.
func (r *tenantResource) planDatabase(ctx context.Context, state tenantModel, diags *diag.Diagnostics) bool {
	prefix := "Tenant \"" + state.Name.ValueString() + "\" (" + state.ID.ValueString() + "): "
	switch inspection.DatabaseState(state.DatabaseState.ValueString()) {
	case inspection.DatabaseDrifted:
		diags.AddAttributeWarning(path.Root("database_role"), "Database role was changed",
			prefix+r.databaseDrift(ctx, state)+".\n\nSomebody changed it outside Terraform. Applying this plan gives the role back what it should be able to do, and takes the rest.")
		return true
	case inspection.DatabaseMissing:
		diags.AddAttributeError(path.Root("schema_name"), "Schema is missing",
			prefix+r.databaseDrift(ctx, state)+".\n\nNothing was changed, and this provider makes no empty schema where records were. Bring the schema back from a backup, with its tables, and plan again: "+
				"the next apply gives the role its grants. To give the tenant up, archive it: terraform destroy -refresh=false.")
	case inspection.DatabaseInSync:
	}
	return false
}

// databaseDrift says what is wrong.
func (r *tenantResource) databaseDrift(ctx context.Context, state tenantModel) string {
	id, err := state.tenantID()
	if err == nil {
		var i inspection.Inspection
		if i, err = r.inspect(r.withLogMask(ctx), id); err == nil && len(i.DatabaseDrift) > 0 {
			return strings.Join(i.DatabaseDrift, "; ")
		}
	}
	return "tenant-api tenants verify " + state.ID.ValueString() + " has the details"
}

// applyDatabasePlan puts the tenant's role right, if that was planned.
func (r *tenantResource) applyDatabasePlan(ctx context.Context, planned, current types.String, t tenant.Tenant, diags *diag.Diagnostics) bool {
	if planned.ValueString() != string(inspection.DatabaseInSync) || planned.Equal(current) || current.IsNull() {
		return true
	}
	service, err := r.open(ctx)
	var repaired []string
	if err == nil {
		_, repaired, err = service.Repair(ctx, t.ID)
	}
	if err != nil {
		diagnostic{operation: "repair the database role of", name: t.Name, state: "The tenant is live and in the state; its role stays as it is."}.add(ctx, diags, err)
		return false
	}
	tflog.Info(ctx, "repaired the role of the tenant", map[string]any{"tenant_id": t.ID.String(), "database_drift": strings.Join(repaired, "; ")})
	return true
}
