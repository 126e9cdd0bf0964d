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

// inspect reads a tenant, in one query with all other reads of the moment.
func (b *backend) inspect(ctx context.Context, id uuid.UUID) (inspection.Inspection, error) {
	if _, err := b.open(ctx); err != nil {
		return inspection.Inspection{}, err
	}
	return b.tenantReader.inspect(ctx, id)
}

// setCreatedDatabaseState sets the database state after a run, which has just created
// schema and role.
func setCreatedDatabaseState(m *tenantModel, t tenant.Tenant) {
	m.DatabaseState = types.StringNull()
	if t.Status.Live() {
		m.DatabaseState = types.StringValue(string(inspection.DatabaseInSync))
	}
}

// setFoundDatabaseState sets the database state that an inspection found.
func setFoundDatabaseState(ctx context.Context, m *tenantModel, i inspection.Inspection) {
	m.DatabaseState = nullableString(string(i.Database))
	for _, drift := range i.DatabaseDrift {
		tflog.Warn(ctx, "the tenant's database objects have drifted: "+drift, map[string]any{"tenant_id": i.Tenant.ID.String()})
	}
}

// planDatabase reports whether there is something for the apply to do. It repairs the tenant's role. A
// missing schema is an error: only a backup can restore its data.
func (r *tenantResource) planDatabase(ctx context.Context, state tenantModel, diags *diag.Diagnostics) bool {
	prefix := "Tenant \"" + state.Name.ValueString() + "\" (" + state.ID.ValueString() + "): "
	switch inspection.DatabaseState(state.DatabaseState.ValueString()) {
	case inspection.DatabaseDrifted:
		diags.AddAttributeWarning(path.Root("database_role"), "Database role was changed",
			prefix+r.databaseDrift(ctx, state)+".\n\nIt was changed outside Terraform. Applying this plan grants the missing privileges and revokes the extra ones.")
		return true
	case inspection.DatabaseMissing:
		diags.AddAttributeError(path.Root("schema_name"), "Schema is missing",
			prefix+r.databaseDrift(ctx, state)+".\n\nNothing was changed, and this provider never creates an empty schema in place of one with records. Restore the schema with its tables from a backup, and plan again: "+
				"the next apply grants the role its privileges. If there is no backup, archive the tenant: terraform destroy.")
		return true // The apply says it again, as an error.
	case inspection.DatabaseInSync:
	}
	return false
}

// databaseDrift returns what differs in the database.
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

// applyDatabasePlan repairs the tenant's role if that was planned. It reports success.
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
