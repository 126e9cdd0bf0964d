package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Inspect reads tenants and what the database has of those that are live, in one query.
func (db *DB) Inspect(ctx context.Context, ids []uuid.UUID) ([]provisioning.Inspection, error) {
	const op = "inspect tenants"
	pool, err := db.ready(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `SELECT `+tenantColumns+`, CASE WHEN status = 'ACTIVE' THEN `+factsOfTenant+` END
		FROM tenants WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, failure(err, op)
	}
	found, err := pgx.CollectRows(rows, scanInspection)
	return found, failure(err, op)
}

func scanInspection(r pgx.CollectableRow) (provisioning.Inspection, error) {
	var (
		i    provisioning.Inspection
		late times
		has  *facts
	)
	err := r.Scan(append(tenantTargets(&i.Tenant, &late), &has)...)
	complete(&i.Tenant, late)
	if err == nil && has != nil {
		i.Database, i.Faults = has.state(i.Tenant)
	}
	return i, err
}

// state sums up the facts of a live tenant.
func (f facts) state(t provisioning.Tenant) (provisioning.DatabaseState, []string) {
	lost, faults := f.losses(t.SchemaName), f.faults(t.DatabaseRole)
	switch {
	case len(lost) > 0:
		return provisioning.DatabaseMissing, append(lost, faults...)
	case len(faults) > 0:
		return provisioning.DatabaseAltered, faults
	}
	return provisioning.DatabaseIntact, nil
}

// Repair gives a live tenant's role what the baseline gives, and nothing else. What
// the role owns, or reaches elsewhere, is left to people: nobody here knows why.
func (db *DB) Repair(ctx context.Context, id uuid.UUID) (provisioning.Tenant, []string, error) {
	const op = "repair tenant"
	var (
		t      provisioning.Tenant
		healed []string
	)
	err := db.inTx(ctx, op, func(tx pgx.Tx) error {
		found, err := lockTenant(ctx, tx, id)
		if err != nil {
			return err
		}
		if t = found.Tenant; t.Status != provisioning.StatusActive {
			return t.Status.Conflict(op, "repairing")
		}
		has, err := factsOf(ctx, tx, t)
		if err != nil {
			return err
		}
		var state provisioning.DatabaseState
		switch state, healed = has.state(t); {
		case state == provisioning.DatabaseIntact:
			return nil
		case state == provisioning.DatabaseMissing:
			return provisioning.Errorf(provisioning.KindPermanent, op, "%s; bring it back from a backup", healed[0])
		case has.Version != TenantSchemaVersion:
			return provisioning.Errorf(provisioning.KindPermanent, op,
				"the tenant's schema is at version %d and this program knows the grants of version %d; run tenant-api tenants migrate first", has.Version, TenantSchemaVersion)
		}
		for _, statement := range remedies(t, has) {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		if has, err = factsOf(ctx, tx, t); err != nil {
			return err
		}
		if left := has.faults(t.DatabaseRole); len(left) > 0 {
			return provisioning.Errorf(provisioning.KindPermanent, op, "%s; take it away by hand, once it is clear how it came about", strings.Join(left, "; "))
		}
		return audit(ctx, tx, id, provisioning.AuditRepair, map[string]any{"faults": healed})
	})
	if err != nil {
		return t, nil, err
	}
	return t, healed, nil
}

func factsOf(ctx context.Context, tx pgx.Tx, t provisioning.Tenant) (f facts, err error) {
	err = tx.QueryRow(ctx, `SELECT `+factsOfTenant+` FROM tenants WHERE id = $1`, t.ID).Scan(&f)
	return f, err
}

// remedies are the statements that bring a role back to the baseline, as far as
// its own schema goes.
func remedies(t provisioning.Tenant, has facts) (all []string) {
	schema, role := pgx.Identifier{t.SchemaName}.Sanitize(), pgx.Identifier{t.DatabaseRole}.Sanitize()
	add := func(statement string) { all = append(all, statement) }
	names := strings.NewReplacer("{{schema}}", schema, "{{role}}", role)
	if !has.Role {
		add(names.Replace(baseline.starting("CREATE ROLE")[0]))
	}
	if len(has.Attributes) > 0 {
		attributes := slices.Clone(has.Attributes)
		for i := range attributes {
			attributes[i] = "NO" + attributes[i]
		}
		add(`ALTER ROLE ` + role + ` ` + strings.Join(attributes, " "))
	}
	for _, group := range has.Groups {
		add(`REVOKE ` + pgx.Identifier{group}.Sanitize() + ` FROM ` + role)
	}
	if len(baselineGrants.differences(has.grants())) == 0 {
		return all
	}
	add(`REVOKE ALL ON SCHEMA ` + schema + ` FROM ` + role + ` CASCADE`)
	// Privileges on single columns end with those on their table.
	add(`REVOKE ALL ON ALL TABLES IN SCHEMA ` + schema + ` FROM ` + role + ` CASCADE`)
	add(`REVOKE ALL ON ALL SEQUENCES IN SCHEMA ` + schema + ` FROM ` + role + ` CASCADE`)
	add(`REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ` + schema + ` FROM ` + role + ` CASCADE`)
	for _, grant := range baseline.starting("GRANT") {
		add(names.Replace(grant))
	}
	return all
}
