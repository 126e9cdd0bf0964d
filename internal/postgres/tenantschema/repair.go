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
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Repair restores the privileges that the blueprint gives a live tenant's role, and nothing else.
// It does not change what the role owns or may access elsewhere: the reason is
// unknown.
func (s *Schemas) Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error) {
	const op = "repair tenant"
	return s.repair(ctx, op, id, func(_ pgx.Tx, locked tenantrow.Row) (bool, error) {
		if !locked.Tenant.Status.Live() {
			return false, locked.Tenant.TransitionError(op, "repairing")
		}
		return true, nil
	})
}

// RepairRole is Repair for each tenant with a schema, also an archived one. It does nothing
// for a tenant that has none any more. A role that is missing beside a schema of an earlier
// version gets its privileges with the next repair after the schema was migrated.
func (s *Schemas) RepairRole(ctx context.Context, id uuid.UUID) error {
	_, _, err := s.repair(ctx, "repair role", id, func(tx pgx.Tx, _ tenantrow.Row) (has bool, err error) {
		err = tx.QueryRow(ctx, `SELECT purged_at IS NULL AND `+tenantrow.HasSchema+` FROM tenants WHERE id = $1`, id).Scan(&has)
		return has, err
	})
	return err
}

// repair repairs a locked tenant if may permits it.
func (s *Schemas) repair(ctx context.Context, op string, id uuid.UUID, may func(pgx.Tx, tenantrow.Row) (bool, error)) (t tenant.Tenant, repaired []string, err error) {
	err = s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		t, repaired = locked.Tenant, nil
		ok, err := may(tx, locked)
		if err == nil && ok {
			repaired, err = s.repairLocked(ctx, tx, op, t)
		}
		return err
	})
	if err != nil {
		return t, nil, err
	}
	return t, repaired, nil
}

// repairLocked repairs a locked tenant with a schema, and returns what was wrong.
func (s *Schemas) repairLocked(ctx context.Context, tx pgx.Tx, op string, t tenant.Tenant) (repaired []string, err error) {
	found, err := s.InspectRole(ctx, tx, t)
	if err != nil {
		return nil, err
	}
	var state inspection.DatabaseState
	switch state, repaired = found.databaseState(t); {
	case state == inspection.DatabaseInSync:
		return nil, nil
	case state == inspection.DatabaseMissing:
		return nil, errs.Errorf(errs.KindPermanent, op, "%s; restore it from a backup", repaired[0])
	case len(found.Versions) == 0: // The schema may be someone else's.
		return nil, errs.Errorf(errs.KindPermanent, op, "tenant_migrations has no version of the schema %s, so nothing in it is changed; restore the registry from a backup", t.SchemaName)
	case !found.isNewest() && found.RoleExists:
		return nil, errs.Errorf(errs.KindPermanent, op,
			"the tenant's schema is at version %d and this program knows the grants of version %d; run tenant-api tenants migrate first",
			found.Versions[found.template.Own().Name], found.template.Version())
	}
	if owned := found.ownedFindings(t.DatabaseRole); len(owned) > 0 { // Its privileges cannot be changed then.
		return nil, manualError(op, owned)
	}
	for _, statement := range repairStatements(t, found) {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return nil, lacksFunctionError(repairError(err, op, statement), op, t)
		}
	}
	if found, err = s.InspectRole(ctx, tx, t); err != nil {
		return nil, err
	}
	if remaining := found.DriftFindings(t.DatabaseRole); len(remaining) > 0 {
		return nil, manualError(op, remaining)
	}
	return repaired, auditlog.Append(ctx, tx, t.ID, audit.ActionRepair, map[string]any{"faults": repaired})
}

func manualError(op string, findings []string) error {
	return errs.Errorf(errs.KindPermanent, op, "%s; remove it manually after you know the cause", strings.Join(findings, "; "))
}

// repairError names the statement that this program's user may not run.
func repairError(err error, op, statement string) error {
	var pgErr *pgconn.PgError
	if pgdb.IsInsufficientPrivilege(err) && errors.As(err, &pgErr) {
		return errs.Wrap(err, errs.KindPermanent, op, "the database did not permit this statement (%s); run it as a superuser, and repair again: %s", pgErr.Message, statement)
	}
	return err
}

// lacksFunctionError explains the error of a statement on a function that the schema does not have, or
// has under another name.
func lacksFunctionError(err error, op string, t tenant.Tenant) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "42883" {
		return err
	}
	return errs.Wrap(err, errs.KindPermanent, op, "%s; run tenant-api tenants verify %s: it says what the schema lacks and, if the schema had another name before, the statement that gives the function its right name", pgErr.Message, t.ID)
}

// repairStatements are the statements that restore what the blueprint gives a role in its own
// schema. They change no object that the blueprint has not made.
func repairStatements(t tenant.Tenant, inspection RoleInspection) (statements []string) {
	role := pgx.Identifier{t.DatabaseRole}.Sanitize()
	names := blueprintsql.Names(t, "")
	add := func(statement string) { statements = append(statements, names.Replace(statement)) }
	if !inspection.RoleExists {
		add(blueprintsql.CreateRole)
	}
	if inspection.NeedsLogin {
		add(blueprintsql.CitusLogin)
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
		statements = append(statements, grant.revoke()) // Others chose the names in it.
	}
	if len(inspection.missingGrants()) > 0 {
		for _, grant := range inspection.template.PlatformGrants() {
			add(grant)
		}
		if inspection.suspended {
			add(inspection.template.SuspendStatement())
		}
	}
	if len(inspection.privilegeDifferences()) == 0 {
		return statements
	}
	// Revoking a table's privileges also revokes those on its columns.
	for _, o := range inspection.template.Objects.All() {
		add(`REVOKE ALL ON ` + string(o.Kind) + ` ` + o.Quoted() + ` FROM {{role}} CASCADE`)
	}
	for _, grant := range inspection.expected(inspection.template.TenantGrants()).Statements("{{role}}") {
		add(grant)
	}
	return statements
}
