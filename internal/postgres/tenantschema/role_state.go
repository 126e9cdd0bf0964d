package tenantschema

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// RoleState is how the schema and the role of one tenant differ from the baseline, for a
// check of all tenants.
type RoleState struct {
	Tenant       tenant.Tenant
	Missing      []string // What only a backup can restore.
	RoleExists   bool
	Attributes   []string        // Attributes that the role must not have.
	Drift        []string        // What RepairRole repairs.
	Manual       []string        // What only a person can repair: the reason is unknown.
	Statements   []string        // What RepairRole runs.
	ForeignOwned []ForeignObject // What belongs to a role whose privileges the current user lacks.
}

// ForeignObject is a schema or table that belongs to a role whose privileges the current
// user lacks.
type ForeignObject struct {
	Kind  string // SCHEMA or TABLE.
	Name  string // Quoted.
	Owner string
	// Superuser says that the owner is one.
	Superuser bool
}

// foreignOwnedSQL is an expression over a row of tenants: its schema, and the baseline's
// tables in it, that are ForeignObjects. Other tables are the platform's.
var foreignOwnedSQL = `to_jsonb(ARRAY(SELECT jsonb_build_object('kind', kind, 'name', object, 'owner', o.rolname, 'superuser', o.rolsuper)
	FROM (SELECT oid, nspname, nspowner FROM pg_namespace WHERE nspname = tenants.schema_name::name OFFSET 0) n CROSS JOIN LATERAL ( -- OFFSET: first the schema, then its tables.
		SELECT 'SCHEMA' AS kind, format('%I', n.nspname) AS object, n.nspowner AS owner
		UNION ALL SELECT 'TABLE', format('%I.%I', n.nspname, c.relname), c.relowner FROM pg_class c
			WHERE c.relnamespace = n.oid AND c.relname = ANY ('{` + strings.Join(baselineTables(), ",") + `}'::name[])
	) owned JOIN pg_roles o ON o.oid = owned.owner WHERE NOT pg_has_role(current_user, owned.owner, 'USAGE') ORDER BY kind, object))`

// RoleStates reads the state of the tenants with a schema whose ids follow one id, in the
// order of ids, at most limit. It is one query that only reads indexes.
func (s *Schemas) RoleStates(ctx context.Context, after uuid.UUID, limit int) ([]RoleState, error) {
	const op = "inspect roles"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `SELECT `+tenantrow.Columns+`, `+roleInspectionSQL+`, `+foreignOwnedSQL+` FROM tenants
		WHERE id > $1 AND purged_at IS NULL AND `+tenantrow.HasSchema+`
		ORDER BY id LIMIT $2`, after, limit)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	states, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (state RoleState, err error) {
		var found RoleInspection
		if state.Tenant, err = tenantrow.ScanAnd(r, &found, &state.ForeignOwned); err == nil {
			state.describe(found)
		}
		return state, err
	})
	return states, pgdb.Classify(err, op)
}

// describe sets what follows from an inspection.
func (s *RoleState) describe(found RoleInspection) {
	s.RoleExists, s.Attributes = found.RoleExists, found.Attributes
	if s.Missing = found.missingObjects(s.Tenant.SchemaName); len(s.Missing) > 0 {
		return
	}
	s.Manual = found.manualFindings(s.Tenant.DatabaseRole)
	all := found.DriftFindings(s.Tenant.DatabaseRole)
	manual := map[string]bool{}
	for _, finding := range s.Manual {
		manual[finding] = true
	}
	for _, finding := range all {
		if !manual[finding] {
			s.Drift = append(s.Drift, finding)
		}
	}
	if len(s.Drift) > 0 {
		s.Statements = repairStatements(s.Tenant, found)
	}
}
