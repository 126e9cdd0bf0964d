package tenantschema

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// RoleState is how the schema and the role of one tenant differ from the blueprint, for a
// check of all tenants.
type RoleState struct {
	Tenant       tenant.Tenant
	Missing      []string // What only a backup can restore.
	RoleExists   bool
	Attributes   []string        // Attributes that the role must not have.
	Drift        []string        // What RepairRole repairs.
	Manual       []string        // What only a person can repair: the reason is unknown.
	Statements   []string        // What RepairRole runs.
	ForeignOwned []ForeignObject // What does not belong to the schema owner.
}

// HasUnusable reports whether something belongs to a role whose privileges the current user lacks.
func (s RoleState) HasUnusable() bool {
	return slices.ContainsFunc(s.ForeignOwned, func(o ForeignObject) bool { return !o.Usable })
}

// ForeignObject is a schema, a table or a function that does not belong to the schema owner.
type ForeignObject struct {
	Kind   string // SCHEMA, TABLE, VIEW and so on, as in ALTER.
	Object string // Not quoted, of a function with its argument types; empty for a schema.
	Name   string // Quoted, with its schema.
	Owner  string
	// Usable says that the current user has the owner's privileges.
	Usable bool
	// Superuser says that the owner is one.
	Superuser bool
}

// foreignOwnedSQL is an expression over a row of tenants: its schema, and the relations and
// functions in it, that are ForeignObjects.
const foreignOwnedSQL = `to_jsonb(ARRAY(SELECT jsonb_build_object('kind', kind, 'object', name, 'name', object, 'owner', o.rolname, 'superuser', o.rolsuper, 'usable', pg_has_role(current_user, owned.owner, 'USAGE'))
	FROM (SELECT oid, nspname, nspowner FROM pg_namespace WHERE nspname = tenants.schema_name::name OFFSET 0) n CROSS JOIN LATERAL ( -- OFFSET: first the schema, then its tables.
		SELECT 'SCHEMA' AS kind, '' AS name, format('%I', n.nspname) AS object, n.nspowner AS owner
		UNION ALL SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.relname, format('%I.%I', n.nspname, c.relname), c.relowner
			FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
			WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.classid = 'pg_class'::regclass
			  AND NOT EXISTS (SELECT FROM pg_depend s WHERE s.classid = 'pg_class'::regclass AND s.objid = c.oid AND s.deptype IN ('a', 'i') AND c.relkind = 'S') -- It follows its table.
		UNION ALL SELECT 'FUNCTION', p.proname || '(' || replace(pg_get_function_identity_arguments(p.oid), quote_ident(n.nspname) || '.', '') || ')',
				format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), p.proowner
			FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
			WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.classid = 'pg_proc'::regclass AND p.prokind IN ('f', 'w')
	) owned JOIN pg_roles o ON o.oid = owned.owner WHERE o.rolname <> (SELECT schema_owner FROM registry) ORDER BY kind, object))`

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
	type row struct {
		state RoleState
		found RoleInspection
	}
	found, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (f row, err error) {
		f.state.Tenant, err = tenantrow.ScanAnd(r, &f.found, &f.state.ForeignOwned)
		return f, err
	})
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	states := make([]RoleState, len(found))
	for i, f := range found {
		t := f.state.Tenant
		if f.found.template, err = s.blueprints.Template(ctx, pool, t.Blueprint, t.BlueprintRevision); err != nil {
			return nil, err
		}
		f.found.template = f.found.template.In(t.SchemaName)
		f.found.suspended = t.Suspended()
		states[i] = f.state
		states[i].describe(f.found)
	}
	return states, nil
}

// describe sets what follows from an inspection.
func (s *RoleState) describe(found RoleInspection) {
	managed := found.template.Objects
	s.ForeignOwned = slices.DeleteFunc(s.ForeignOwned, func(o ForeignObject) bool { // Other tables are the platform's.
		isFunction := func(f blueprintsql.Function) bool { return f.Signature == o.Object }
		return o.Kind != "SCHEMA" && !slices.Contains(managed.TableNames(), o.Object) && !slices.Contains(managed.Sequences, o.Object) && !slices.ContainsFunc(managed.Functions, isFunction)
	})
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
