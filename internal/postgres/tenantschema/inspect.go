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
	rows, err := pool.Query(ctx, `SELECT `+tenantrow.Columns+`, CASE WHEN status = 'ACTIVE' THEN `+roleInspectionSQL+` END
		FROM tenants WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	inspections, err := pgx.CollectRows(rows, scanInspection)
	return inspections, pgdb.Classify(err, op)
}

func scanInspection(r pgx.CollectableRow) (inspection.Inspection, error) {
	var (
		inspection inspection.Inspection
		role       *RoleInspection
		err        error
	)
	inspection.Tenant, err = tenantrow.ScanAnd(r, &role)
	if err == nil && role != nil {
		inspection.Database, inspection.DatabaseDrift = role.databaseState(inspection.Tenant)
	}
	return inspection, err
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

// InspectRole compares a tenant's role, in the transaction, with the baseline.
func InspectRole(ctx context.Context, tx pgx.Tx, t tenant.Tenant) (f RoleInspection, err error) {
	err = tx.QueryRow(ctx, `SELECT `+roleInspectionSQL+` FROM tenants WHERE id = $1`, t.ID).Scan(&f)
	return f, err
}
