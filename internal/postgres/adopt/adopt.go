// Package adopt brings schemas that exist under the registry: those of a platform that made its
// tenants by other means. Nothing in such a schema is ever dropped by a rollback.
package adopt

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/fingerprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/publish"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/runs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// AuditAdopt is the event of a schema that became a tenant's.
const AuditAdopt audit.Action = "tenant.adopt"

// Adoptions adopts schemas.
type Adoptions struct {
	db         *pgdb.DB
	schemas    *tenantschema.Schemas
	blueprints *publish.Blueprints
}

// New returns the adoptions of a database.
func New(db *pgdb.DB, schemas *tenantschema.Schemas, blueprints *publish.Blueprints) *Adoptions {
	return &Adoptions{db, schemas, blueprints}
}

// maxRoleSchema is how long the name of a schema can be, in bytes: that of the tenant's role has
// nine more.
const maxRoleSchema = 63 - 9

// CompareSchema compares a schema with what the migrations of a blueprint make up to a version.
// It changes nothing.
func (a *Adoptions) CompareSchema(ctx context.Context, name string, adoption provisioning.Adoption) (provisioning.SchemaDifference, error) {
	e, err := a.expected(ctx, name, adoption)
	if err != nil {
		return provisioning.SchemaDifference{}, err
	}
	var d provisioning.SchemaDifference
	err = a.db.InTx(ctx, "compare schema", func(tx pgx.Tx) (err error) {
		d, _, err = e.compare(ctx, tx, adoption.Schema)
		return err
	})
	return d, err
}

// expectation is what a schema has to be.
type expectation struct {
	template  *blueprintsql.Template
	revision  int
	version   int
	structure fingerprint.Fingerprint
	owner     string // The schema owner.
}

func (a *Adoptions) expected(ctx context.Context, name string, adoption provisioning.Adoption) (e expectation, err error) {
	const op = "adopt schema"
	active, err := a.blueprints.Active(ctx, name)
	if err != nil {
		return e, err
	}
	switch most := active.SchemaVersion(); {
	case name == blueprint.StandardName:
		return e, invalid("blueprint", "is standard; publish a blueprint that has the migrations of the schema, and name it")
	case adoption.Version < 1 || adoption.Version > most:
		return e, invalid("atVersion", fmt.Sprintf("is %d; give the number of the last migration that the schema has, 1 to %d", adoption.Version, most))
	case adoption.Schema == "" || len(adoption.Schema) > maxRoleSchema || strings.HasPrefix(adoption.Schema, "pg_") || adoption.Schema == "public":
		return e, invalid("schema", fmt.Sprintf("is %q; give the name of a schema of one tenant, at most %d bytes long (ALTER SCHEMA ... RENAME TO shortens it)", adoption.Schema, maxRoleSchema))
	}
	pool, err := a.db.ReadyPool(ctx)
	if err != nil {
		return e, err
	}
	e.revision, e.version = active.Revision, adoption.Version
	if e.template, err = a.schemas.Template(ctx, pool, tenant.Tenant{Blueprint: name, BlueprintRevision: active.Revision}); err != nil {
		return e, err
	}
	if e.structure, err = a.blueprints.Fingerprint(ctx, e.template.Own(), adoption.Version); err != nil {
		return e, err
	}
	err = pool.QueryRow(ctx, `SELECT schema_owner FROM registry`).Scan(&e.owner)
	return e, pgdb.Classify(err, op)
}

func invalid(field, message string) error {
	return &errs.Error{Kind: errs.KindInvalid, Op: "adopt schema", Fields: []errs.FieldError{{Field: field, Message: message}}}
}

// compare compares the schema, and finds the statements that a DBA has to run first.
func (e expectation) compare(ctx context.Context, tx pgx.Tx, schema string) (d provisioning.SchemaDifference, actual fingerprint.Fingerprint, err error) {
	var exists bool
	if err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, schema).Scan(&exists); err != nil {
		return d, nil, err
	}
	if !exists {
		return d, nil, errs.Errorf(errs.KindNotFound, "adopt schema", "there is no schema %s in this database", schema)
	}
	if actual, err = fingerprint.Read(ctx, tx, schema); err != nil {
		return d, nil, err
	}
	found := e.structure.Compare(actual, e.template.Own().Ignore).In(schema)
	d.Missing, d.Changed, d.Unmanaged = found.Missing, found.Changed, found.Unmanaged
	for _, r := range found.Renamed { // The schema had another name when they were made.
		d.Missing, d.Unmanaged = append(d.Missing, r.Wanted), append(d.Unmanaged, r.Found)
		d.Statements = append(d.Statements, r.Statement(schema))
	}
	grants, err := ownerStatements(ctx, tx, schema)
	d.Statements = append(d.Statements, grants...)
	return d, actual, err
}

// ownerStatements let this user give away what other roles own in a schema.
func ownerStatements(ctx context.Context, tx pgx.Tx, schema string) ([]string, error) {
	rows, _ := tx.Query(ctx, `SELECT DISTINCT 'GRANT ' || quote_ident(o.rolname) || ' TO ' || quote_ident(current_user) || CASE WHEN current_setting('server_version_num')::int >= 160000 THEN ' WITH INHERIT TRUE' ELSE '' END
		FROM (SELECT n.nspowner AS owner FROM pg_namespace n WHERE n.nspname = $1
			UNION SELECT c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1
			UNION SELECT p.proowner FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1) owned
		JOIN pg_roles o ON o.oid = owned.owner WHERE NOT pg_has_role(current_user, owned.owner, 'USAGE') ORDER BY 1`, schema)
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Adopt records the schema as a tenant's and claims it for the rest of the pipeline, in one
// transaction: owner, role, privileges and ledger. See provisioning.AdoptionStore.
func (a *Adoptions) Adopt(ctx context.Context, d tenant.Draft, adoption provisioning.Adoption, lease provisioning.LeaseRequest) (run provisioning.Run, err error) {
	const op = "adopt schema"
	e, err := a.expected(ctx, d.Blueprint, adoption)
	if err != nil {
		return run, err
	}
	d.SchemaName = adoption.Schema
	err = a.db.InTx(ctx, op, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '2s'`); err != nil {
			return err
		}
		var known uuid.UUID
		err := tx.QueryRow(ctx, `SELECT id FROM tenants WHERE schema_name = $1`, adoption.Schema).Scan(&known)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			run, err = registry.InsertAdopted(ctx, tx, d, adoption.SendMail, lease)
		case err == nil:
			run, err = continueAdoption(ctx, tx, known, d, lease)
		}
		if err != nil || run.Checkpoint.Index() >= tenant.StepSeedRolesAndUser.Index() {
			return err
		}
		return e.takeOver(ctx, tx, &run)
	})
	return run, err
}

// continueAdoption claims a tenant whose adoption did not end.
func continueAdoption(ctx context.Context, tx pgx.Tx, id uuid.UUID, d tenant.Draft, lease provisioning.LeaseRequest) (run provisioning.Run, err error) {
	locked, err := tenantrow.Lock(ctx, tx, id)
	switch t := locked.Tenant; {
	case err != nil:
		return run, err
	case !t.Adopted || t.Blueprint != d.Blueprint || t.WasLive():
		conflict := errs.Errorf(errs.KindConflict, "adopt schema", "the schema %s is that of the tenant %s (%s), which is %s", t.SchemaName, t.Name, t.ID, t.Status)
		if t.Adopted && t.WasLive() && t.PurgedAt.IsZero() && t.Blueprint == d.Blueprint { // Also when it is suspended or archived by now.
			conflict.Err = provisioning.ErrAdopted
		}
		return run, conflict
	case locked.IsLeased:
		return run, locked.LeasedError("adopt schema")
	}
	return runs.ClaimLocked(ctx, tx, locked, provisioning.ClaimRetry, lease)
}

// takeOver gives the schema to the schema owner, makes the tenant's role, and records what the
// schema has.
func (e expectation) takeOver(ctx context.Context, tx pgx.Tx, run *provisioning.Run) error {
	const op = "adopt schema"
	t := run.Tenant
	d, actual, err := e.compare(ctx, tx, t.SchemaName)
	if err != nil {
		return err
	}
	if !d.Equal() {
		remedy := ""
		if len(d.Statements) > 0 {
			remedy = ". A DBA has to run first: " + strings.Join(d.Statements, "; ")
		}
		return errs.Errorf(errs.KindConflict, op, "the schema %s is not what the migrations up to %d make: %s; correct the schema or the version, or list tables that come and go under ignore%s", t.SchemaName, e.version, d, remedy)
	}
	if len(d.Statements) > 0 {
		return errs.Errorf(errs.KindPermanent, op, "objects in the schema %s belong to roles whose privileges this user lacks; have a DBA run: %s", t.SchemaName, strings.Join(d.Statements, "; "))
	}
	names := blueprintsql.Names(t, e.owner)
	statements := append(e.ownership(), blueprintsql.CreateRole)
	for _, statement := range append(statements, e.existing(actual).GrantStatements()...) {
		if _, err := tx.Exec(ctx, names.Replace(statement)); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	ledger := e.template.RecordMigrations(t.ID, e.version)
	if _, err := tx.Exec(ctx, ledger.SQL, ledger.Args...); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE tenants SET checkpoint = 'SEED_ROLES_AND_USER', blueprint_revision = $2, schema_version = $3 WHERE id = $1`, t.ID, e.revision, e.version); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO provisioning_logs (tenant_id, attempt, trace_id, step, status, result)
		SELECT $1, $2, nullif(substr($3::text, 4, 32), ''), step, 'SKIPPED', jsonb_build_object('adopted', true) FROM unnest('{CREATE_SCHEMA,RUN_MIGRATIONS,SEED_ROLES_AND_USER}'::text[]) AS step
		ON CONFLICT ON CONSTRAINT provisioning_logs_unique DO NOTHING`, t.ID, t.Attempt, run.Traceparent); err != nil {
		return err
	}
	run.Checkpoint, run.Tenant.BlueprintRevision, run.Tenant.SchemaVersion = tenant.StepSeedRolesAndUser, e.revision, e.version
	return auditlog.Append(ctx, tx, t.ID, AuditAdopt, map[string]any{"schema": t.SchemaName, "blueprint": t.Blueprint, "version": e.version, "unmanaged": len(d.Unmanaged)})
}

// ownedKinds are the kinds of objects that have an owner of their own, as ALTER has them, and the
// kind like which GRANT names them.
var ownedKinds = map[string]blueprintsql.ObjectKind{
	"TABLE": blueprintsql.KindTable, "VIEW": blueprintsql.KindTable, "MATERIALIZED VIEW": blueprintsql.KindTable, "FOREIGN TABLE": blueprintsql.KindTable, "TYPE": blueprintsql.KindTable,
	"FUNCTION": blueprintsql.KindFunction, "PROCEDURE": blueprintsql.KindFunction, "AGGREGATE": blueprintsql.KindFunction,
}

// ownership are the statements that give schema and objects to the schema owner. What belongs to
// a table, as its indexes, follows it.
func (e expectation) ownership() []string {
	statements := []string{`ALTER SCHEMA {{schema}} OWNER TO {{owner}}`}
	for object := range e.structure {
		for kind, like := range ownedKinds {
			if name, ok := strings.CutPrefix(object, strings.ToLower(kind)+" "); ok {
				statements = append(statements, `ALTER `+kind+` `+blueprintsql.Object{Kind: like, Name: name}.Quoted()+` OWNER TO {{owner}}`)
			}
		}
	}
	for _, name := range e.template.Objects.Sequences {
		if _, ok := e.structure["sequence "+name]; ok && !e.template.Objects.Owned(name) {
			statements = append(statements, `ALTER SEQUENCE `+blueprintsql.Object{Kind: blueprintsql.KindSequence, Name: name}.Quoted()+` OWNER TO {{owner}}`)
		}
	}
	return statements
}

// existing is the template without the objects that the schema does not have at its version.
func (e expectation) existing(actual fingerprint.Fingerprint) *blueprintsql.Template {
	t := *e.template
	t.Objects = e.template.Objects.Existing(func(object string) bool {
		_, ok := actual[object]
		return ok
	})
	return &t
}
