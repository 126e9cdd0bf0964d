package tenantschema

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
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

// Repair restores the baseline's privileges of a live tenant's role, and nothing else.
// It does not change what the role owns or may access elsewhere: the reason is
// unknown.
func (s *Schemas) Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error) {
	const op = "repair tenant"
	var (
		t        tenant.Tenant
		repaired []string
	)
	err := s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if t = locked.Tenant; t.Status != tenant.StatusActive {
			return t.Status.TransitionError(op, "repairing")
		}
		found, err := InspectRole(ctx, tx, t)
		if err != nil {
			return err
		}
		var state inspection.DatabaseState
		switch state, repaired = found.databaseState(t); {
		case state == inspection.DatabaseInSync:
			return nil
		case state == inspection.DatabaseMissing:
			return errs.Errorf(errs.KindPermanent, op, "%s; restore it from a backup", repaired[0])
		case found.SchemaVersion != Version:
			return errs.Errorf(errs.KindPermanent, op,
				"the tenant's schema is at version %d and this program knows the grants of version %d; run tenant-api tenants migrate first", found.SchemaVersion, Version)
		}
		if owned := found.ownedFindings(t.DatabaseRole); len(owned) > 0 { // Its privileges cannot be changed then.
			return manualError(op, owned)
		}
		for _, statement := range repairStatements(t, found) {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return repairError(err, op, statement)
			}
		}
		if found, err = InspectRole(ctx, tx, t); err != nil {
			return err
		}
		if remaining := found.DriftFindings(t.DatabaseRole); len(remaining) > 0 {
			return manualError(op, remaining)
		}
		return auditlog.Append(ctx, tx, id, audit.ActionRepair, map[string]any{"faults": repaired})
	})
	if err != nil {
		return t, nil, err
	}
	return t, repaired, nil
}

func manualError(op string, findings []string) error {
	return errs.Errorf(errs.KindPermanent, op, "%s; remove it manually after you know the cause", strings.Join(findings, "; "))
}

// repairError names the statement that this program's user may not run.
func repairError(err error, op, statement string) error {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "42501" {
		return errs.Wrap(err, errs.KindPermanent, op, "the database did not permit this statement (%s); run it as a superuser, and repair again: %s", pgErr.Message, statement)
	}
	return err
}

// InspectRole compares a tenant's role, in the transaction, with the baseline.
func InspectRole(ctx context.Context, tx pgx.Tx, t tenant.Tenant) (f RoleInspection, err error) {
	err = tx.QueryRow(ctx, `SELECT `+roleInspectionSQL+` FROM tenants WHERE id = $1`, t.ID).Scan(&f)
	return f, err
}

// repairStatements are the statements that restore a role's baseline in its own
// schema.
func repairStatements(t tenant.Tenant, inspection RoleInspection) (statements []string) {
	schema, role := pgx.Identifier{t.SchemaName}.Sanitize(), pgx.Identifier{t.DatabaseRole}.Sanitize()
	add := func(statement string) { statements = append(statements, statement) }
	names := strings.NewReplacer("{{schema}}", schema, "{{role}}", role)
	if !inspection.RoleExists {
		add(names.Replace(baseline.statementsWithPrefix("CREATE ROLE")[0]))
	}
	if len(inspection.Attributes) > 0 {
		attributes := slices.Clone(inspection.Attributes)
		for i := range attributes {
			attributes[i] = "NO" + attributes[i]
		}
		add(`ALTER ROLE ` + role + ` PASSWORD NULL ` + strings.Join(attributes, " ")) // Who made it log in may know one.
	}
	for _, group := range inspection.Groups {
		add(`REVOKE ` + pgx.Identifier{group}.Sanitize() + ` FROM ` + role)
	}
	for _, member := range inspection.Members {
		add(`REVOKE ` + role + ` FROM ` + pgx.Identifier{member}.Sanitize())
	}
	if len(inspection.Settings) > 0 {
		add(`ALTER ROLE ` + role + ` RESET ALL`)
		for _, database := range inspection.SettingDatabases {
			add(`ALTER ROLE ` + role + ` IN DATABASE ` + pgx.Identifier{database}.Sanitize() + ` RESET ALL`)
		}
	}
	for _, grant := range inspection.OpenTo {
		add(grant.revoke())
	}
	if len(baselineGrants.diff(inspection.actualGrants())) == 0 {
		return statements
	}
	add(`REVOKE ALL ON SCHEMA ` + schema + ` FROM ` + role + ` CASCADE`)
	// Revoking a table's privileges also revokes those on its columns.
	add(`REVOKE ALL ON ALL TABLES IN SCHEMA ` + schema + ` FROM ` + role + ` CASCADE`)
	add(`REVOKE ALL ON ALL SEQUENCES IN SCHEMA ` + schema + ` FROM ` + role + ` CASCADE`)
	add(`REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ` + schema + ` FROM ` + role + ` CASCADE`)
	for _, grant := range baseline.statementsWithPrefix("GRANT") {
		add(names.Replace(grant))
	}
	return statements
}
