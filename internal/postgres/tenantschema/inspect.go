package tenantschema

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Inspect reads tenants, and the database state of the live ones, in one query.
func (s *Schemas) Inspect(ctx context.Context, ids []uuid.UUID) ([]inspection.Inspection, error) {
	const op = "inspect tenants"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `SELECT `+tenantrow.Columns+`, CASE WHEN status IN ('ACTIVE', 'SUSPENDED') THEN `+roleInspectionSQL+` END
		FROM tenants WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	found, err := pgx.CollectRows(rows, scanInspection)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	inspections := make([]inspection.Inspection, len(found))
	for i, f := range found {
		inspections[i].Tenant = f.tenant
		if f.role == nil {
			continue
		}
		if f.role.template, err = s.blueprints.Template(ctx, pool, f.tenant.Blueprint, f.tenant.BlueprintRevision); err != nil {
			return nil, err
		}
		f.role.template = f.role.template.In(f.tenant.SchemaName)
		f.role.suspended = f.tenant.Suspended()
		inspections[i].Database, inspections[i].DatabaseDrift = f.role.databaseState(f.tenant)
	}
	return inspections, nil
}

// inspected is a row of Inspect; role is nil for a tenant that is not live.
type inspected struct {
	tenant tenant.Tenant
	role   *RoleInspection
}

func scanInspection(r pgx.CollectableRow) (i inspected, err error) {
	i.tenant, err = tenantrow.ScanAnd(r, &i.role)
	return i, err
}

// databaseState summarizes the inspection of a live tenant.
func (r RoleInspection) databaseState(t tenant.Tenant) (inspection.DatabaseState, []string) {
	missing, drift := r.missingObjects(t.SchemaName), r.DriftFindings(t.DatabaseRole)
	switch {
	case len(missing) > 0:
		return inspection.DatabaseMissing, append(missing, drift...)
	case len(drift) > 0:
		return inspection.DatabaseDrifted, drift
	}
	return inspection.DatabaseInSync, nil
}

// InspectRole compares a tenant's role, in the transaction, with its blueprint.
func (s *Schemas) InspectRole(ctx context.Context, tx pgx.Tx, t tenant.Tenant) (f RoleInspection, err error) {
	made, err := s.blueprints.Template(ctx, tx, t.Blueprint, t.BlueprintRevision)
	if err != nil {
		return f, err
	}
	err = tx.QueryRow(ctx, `SELECT `+roleInspectionSQL+` FROM tenants WHERE id = $1`, t.ID).Scan(&f)
	f.template, f.suspended = made.In(t.SchemaName), t.Suspended()
	return f, err
}
