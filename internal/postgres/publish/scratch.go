package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/fingerprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// scratch tries one blueprint in schemas that no tenant has.
type scratch struct {
	conn       *pgx.Conn
	owner      string // The schema owner.
	blueprint  blueprint.Blueprint
	limit      time.Duration // Of each statement.
	extensions []string      // The schemas of the extensions that it names.

	statementTimeout, lockTimeout string // Of the connection before the trial.
	dirty                         bool   // The session has another role or search_path.
}

// Prefix is how the names of scratch schemas begin, and of the roles of trials.
const Prefix = "healthcare_trial_"

// statementTimeout limits each statement of a trial.
const statementTimeout = time.Minute

// removeOld drops the scratch schemas of trials that were killed.
func (s *scratch) removeOld(ctx context.Context) error {
	rows, _ := s.conn.Query(ctx, `SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1)
		AND split_part(nspname, '_', 3)::bigint < extract(epoch FROM now() - $2::interval)`, Prefix, Timeout+time.Minute)
	old, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, schema := range old {
		if _, err := s.conn.Exec(ctx, `DROP SCHEMA IF EXISTS `+pgx.Identifier{schema}.Sanitize()+` CASCADE`); err != nil {
			return err
		}
	}
	return nil
}

// setUp limits what a trial may hold up, and finds the blueprint's extensions.
func (s *scratch) setUp(ctx context.Context) error {
	_, err := s.conn.Exec(ctx, fmt.Sprintf(`SELECT set_config('statement_timeout', '%d', false), set_config('lock_timeout', '5s', false)`, s.limit.Milliseconds()))
	if err != nil {
		return err
	}
	s.extensions, err = extensionSchemas(ctx, s.conn, s.blueprint.Extensions)
	return err
}

// tenant is a tenant of a trial: its schema and role do not exist. set chooses the values of its
// variables.
func (s *scratch) tenant(set int) (tenant.Tenant, error) {
	id := uuid.New()
	name := fmt.Sprintf("%s%d_%s", Prefix, time.Now().Unix(), id.String()[:8])
	given := map[string]string{}
	for _, v := range s.blueprint.Variables {
		if value, ok := v.Sample(set); ok {
			given[v.Name] = value
		}
	}
	values, err := s.blueprint.ResolveVariables(given)
	return tenant.Tenant{ID: id, SchemaName: name, DatabaseRole: name, Variables: values}, err
}

// template is the blueprint's template, when its objects are not known yet, up to a version.
func (s *scratch) template(version int) *blueprintsql.Template {
	b := s.blueprint
	b.Migrations = b.Migrations[:version]
	return blueprintsql.New(b, blueprintsql.Objects{ExtensionSchemas: s.extensions})
}

// tryNewTenant makes a schema from nothing, as a new tenant gets it, and rolls it back: once, or
// in two schemas with two sets of variables, on which nothing but default values may depend.
func (s *scratch) tryNewTenant(ctx context.Context) (blueprintsql.Objects, fingerprint.Fingerprint, error) {
	objects, found, err := s.tryVariables(ctx, 0)
	if err != nil || len(s.blueprint.Variables) == 0 && !s.runsCode() {
		return objects, found, err
	}
	objects, other, err := s.tryVariables(ctx, 1)
	if err != nil {
		return objects, nil, err
	}
	found = found.OpenDefaults(other)
	if d := found.Compare(other, nil); !d.IsEmpty() {
		message := "makes another structure in each schema: %q; names may not depend on the schema, but for its digest in those of functions"
		if len(s.blueprint.Variables) > 0 {
			message = "has variables on which the structure depends: %q; they may shape rows and default values alone"
		}
		return objects, nil, problemsError(blueprint.Problems{{File: "blueprint.yaml", Message: fmt.Sprintf(message, slices.Concat(d.Missing, d.Changed, d.Unmanaged))}})
	}
	return objects, found, nil
}

// runsCode reports whether a migration of the blueprint's own has code, which can put names together.
func (s *scratch) runsCode() bool {
	return slices.ContainsFunc(s.blueprint.Migrations, func(m blueprint.Migration) bool {
		return slices.ContainsFunc(m.Up, func(statement blueprint.Statement) bool {
			return slices.Contains([]string{"DO", "CALL"}, statement.Command)
		})
	})
}

// tryVariables does so with one set of variables, and reads what was made.
func (s *scratch) tryVariables(ctx context.Context, set int) (objects blueprintsql.Objects, structure fingerprint.Fingerprint, err error) {
	t, err := s.tenant(set)
	if err != nil {
		return objects, nil, err
	}
	err = s.rolledBack(ctx, func(tx pgx.Tx) error {
		template := s.template(s.blueprint.SchemaVersion())
		if err := s.makeSchema(ctx, tx, t, template); err != nil {
			return err
		}
		var standard []blueprintsql.Function
		if template.HasUsers() {
			standard = blueprintsql.Standard.In(t.SchemaName).Objects.Functions
		}
		if err := checkDefiners(ctx, tx, t.SchemaName, standard); err != nil {
			return err
		}
		if objects, err = readObjects(ctx, tx, t.SchemaName); err != nil {
			return err
		}
		objects.ExtensionSchemas = s.extensions
		if structure, err = fingerprint.Read(ctx, tx, t.SchemaName); err != nil {
			return err
		}
		if err := checkDigests(structure); err != nil {
			return err
		}
		if err := s.tryPrivileges(ctx, tx, t, objects); err != nil {
			return err
		}
		return checkSettings(s.blueprint, structure)
	})
	return objects, structure, err
}

var errRollBack = errors.New("roll back")

// rolledBack runs f in a transaction and rolls it back.
func (s *scratch) rolledBack(ctx context.Context, f func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return errRollBack
	})
	if errors.Is(err, errRollBack) {
		return nil
	}
	return err
}

// makeSchema makes a schema as a new tenant gets it, without its role.
func (s *scratch) makeSchema(ctx context.Context, tx pgx.Tx, t tenant.Tenant, template *blueprintsql.Template) error {
	if _, err := tx.Exec(ctx, `CREATE SCHEMA `+pgx.Identifier{t.SchemaName}.Sanitize()+` AUTHORIZATION `+pgx.Identifier{s.owner}.Sanitize()); err != nil {
		return err
	}
	first, last := template.AroundSeed()
	if err := s.runParts(ctx, tx, t, template, first); err != nil {
		return err
	}
	if template.HasUsers() {
		if err := seed(ctx, tx, t, s.blueprint.Roles); err != nil {
			return err
		}
	}
	return s.runParts(ctx, tx, t, template, last)
}

func (s *scratch) runParts(ctx context.Context, tx pgx.Tx, t tenant.Tenant, template *blueprintsql.Template, parts []blueprintsql.Part) error {
	all := template.Begin(t, s.owner, "")
	for _, p := range parts {
		all = append(all, template.Guarded(t, s.owner, p, blueprint.Statement.WithoutConcurrently)...)
	}
	return s.run(ctx, tx, append(all, template.End(t, "")...))
}

// run runs statements; an error of one of the blueprint's is a problem of its file.
func (s *scratch) run(ctx context.Context, db blueprintsql.Execer, statements []blueprintsql.Statement) error {
	if failed, err := blueprintsql.Run(ctx, db, statements); err != nil {
		return s.problemOf(ctx, failed, err)
	}
	return nil
}

// problemOf is the problem of a file that an error of its statement is. A lost connection is none.
func (s *scratch) problemOf(ctx context.Context, from blueprintsql.Origin, err error) error {
	var pgErr *pgconn.PgError
	if from.File == "" || ctx.Err() != nil || !errors.As(err, &pgErr) || pgErr.Code[:2] == "08" || pgErr.Code[:2] == "57" && pgErr.Code != "57014" {
		return err
	}
	message := blueprintsql.OriginMessage(from, err)
	if pgErr.Code == "57014" {
		message = fmt.Sprintf("took longer than %v; a trial has no more time, and few rows", s.limit)
	}
	return problemsError(blueprint.Problems{{File: from.File, Line: from.Line, Message: message}})
}

// seed inserts the rows that a tenant begins with.
func seed(ctx context.Context, tx pgx.Tx, t tenant.Tenant, roles []blueprint.Role) error {
	schema := pgx.Identifier{t.SchemaName}.Sanitize()
	for i, role := range roles {
		if _, err := tx.Exec(ctx, `INSERT INTO `+schema+`.roles (name, description) VALUES ($1, $2)`, role.Name, role.Description); err != nil {
			return err
		}
		if i > 0 {
			continue
		}
		if _, err := tx.Exec(ctx, `INSERT INTO `+schema+`.users (email, first_name, last_name, role_id) SELECT 'ada@clinic.example', 'Ada', 'Lovelace', id FROM `+schema+`.roles`); err != nil {
			return err
		}
	}
	return nil
}

// tryPrivileges makes the tenant's role and gives it and the platform's roles their privileges.
func (s *scratch) tryPrivileges(ctx context.Context, tx pgx.Tx, t tenant.Tenant, objects blueprintsql.Objects) error {
	if err := checkNames(ctx, tx, s.blueprint, objects); err != nil {
		return err
	}
	names := blueprintsql.Names(t, s.owner)
	for _, statement := range append([]string{blueprintsql.CreateRole}, blueprintsql.New(s.blueprint, objects).GrantStatements()...) {
		if _, err := tx.Exec(ctx, names.Replace(statement)); err != nil {
			return err
		}
	}
	return nil
}
