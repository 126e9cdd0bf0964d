package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/fingerprint"
)

// objectsSQL lists what a schema has, as blueprintsql.Objects. A partition is reached through its
// table, and a sequence of an identity column through that. The names of functions are general, see
// blueprintsql.GeneralSQL.
var objectsSQL = `SELECT jsonb_build_object(
	'tables', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', c.relname, 'view', c.relkind IN ('v', 'm')) ORDER BY c.relname), '[]') FROM pg_class c
		WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition),
	'sequences', (SELECT coalesce(jsonb_agg(c.relname ORDER BY c.relname), '[]') FROM pg_class c
		WHERE c.relnamespace = n.oid AND c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')),
	'ownedSequences', (SELECT coalesce(jsonb_agg(c.relname ORDER BY c.relname), '[]') FROM pg_class c
		WHERE c.relnamespace = n.oid AND c.relkind = 'S' AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'a' AND d.refobjsubid > 0)),
	'functions', (SELECT coalesce(jsonb_agg(jsonb_build_object('trigger', p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype),
			'signature', ` + blueprintsql.GeneralSQL("p.proname || '(' || replace(pg_get_function_identity_arguments(p.oid), quote_ident(n.nspname) || '.', '') || ')'", "n.nspname") + `) ORDER BY p.proname), '[]')
		FROM pg_proc p WHERE p.pronamespace = n.oid AND p.prokind IN ('f', 'w')))
	FROM pg_namespace n WHERE n.nspname = $1`

func readObjects(ctx context.Context, tx pgx.Tx, schema string) (objects blueprintsql.Objects, err error) {
	err = tx.QueryRow(ctx, objectsSQL, schema).Scan(&objects)
	return objects, err
}

// checkNames checks that the tables and roles that blueprint.yaml names exist.
func checkNames(ctx context.Context, tx pgx.Tx, b blueprint.Blueprint, objects blueprintsql.Objects) error {
	var problems blueprint.Problems
	add := func(format string, args ...any) {
		problems = append(problems, blueprint.Problem{File: "blueprint.yaml", Message: fmt.Sprintf(format, args...)})
	}
	tables := objects.TableNames()
	check := func(key string, names []string) {
		for _, name := range names {
			if !slices.Contains(tables, name) {
				add("names under %s the table %s, which no migration makes; correct the name or remove it", key, name)
			}
		}
	}
	check("privileges.append_only", b.Privileges.AppendOnly)
	check("privileges.read_only", b.Privileges.ReadOnly)
	for i, g := range b.Grants {
		check(fmt.Sprintf("grants[%d].read", i), g.Read.Names)
		check(fmt.Sprintf("grants[%d].write", i), g.Write.Names)
		var exists bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, g.Role).Scan(&exists); err != nil {
			return err
		}
		if !exists {
			add("names under grants[%d].role the role %s, which does not exist in this database; have a DBA run: CREATE ROLE %s", i, g.Role, pgx.Identifier{g.Role}.Sanitize())
		}
	}
	return problemsError(problems)
}

// checkDefiners finds functions that run with the privileges of the schemas' owner, beside those of
// standard. The parser does not see SECURITY DEFINER in a text that code puts together.
func checkDefiners(ctx context.Context, tx pgx.Tx, schema string, standard []blueprintsql.Function) error {
	names := []string{}
	for _, f := range standard {
		names = append(names, f.Signature)
	}
	rows, _ := tx.Query(ctx, `SELECT f FROM (SELECT p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS f
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1 AND p.prosecdef) found WHERE f <> ALL ($2::text[]) ORDER BY 1`, schema, names)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	var problems blueprint.Problems
	for _, f := range found {
		problems = append(problems, blueprint.Problem{File: "blueprint.yaml", Message: "makes the function " + f + " with SECURITY DEFINER, so that it would have the privileges of the schemas' owner, who reaches all tenants; remove that"})
	}
	return problemsError(problems)
}

// checkDigests finds tables, views and sequences that have the digest of the schema's name in theirs,
// and names that read like the placeholder for it.
func checkDigests(structure fingerprint.Fingerprint) error {
	var problems blueprint.Problems
	for _, object := range slices.Sorted(maps.Keys(structure)) {
		var message string
		switch {
		case strings.Contains(object, blueprintsql.EscapedBraces):
			message = "has {{ in its name; choose another name"
		case blueprintsql.HasDigest(object) && slices.ContainsFunc([]string{"table ", "view ", "materialized view ", "foreign table ", "sequence "}, func(kind string) bool { return strings.HasPrefix(object, kind) }):
			message = "has the digest of the schema's name in its name, which is for functions alone; give it a name that is the same in all schemas"
		default:
			continue
		}
		problems = append(problems, blueprint.Problem{File: "blueprint.yaml", Message: "makes the " + strings.ReplaceAll(object, blueprintsql.EscapedBraces, "{{") + ", which " + message})
	}
	return problemsError(problems)
}

// blueprintSetting matches a read of a setting that only a blueprint's SQL has, as PostgreSQL prints
// it. With true as second argument it is NULL in other sessions, and no error.
var blueprintSetting = regexp.MustCompile(`current_setting\('(tenant\.(?:id|schema|variables\.\w+))'::text\)`)

// checkSettings finds defaults, constraints, policies and views that read a blueprint's settings:
// each use of them by an application would fail. Functions may be for the migrations alone, and
// a policy or a view may read a tenant.id that the application sets itself.
func checkSettings(b blueprint.Blueprint, structure fingerprint.Fingerprint) error {
	var problems blueprint.Problems
	for _, object := range slices.Sorted(maps.Keys(structure)) {
		read := blueprintSetting.FindStringSubmatch(structure[object])
		if read == nil || strings.HasPrefix(object, "function ") || !strings.HasPrefix(object, "column ") && !strings.HasPrefix(read[1], "tenant.variables.") {
			continue
		}
		p := firstWith(b, read[1], object[strings.LastIndexAny(object, ". ")+1:])
		p.Message = fmt.Sprintf("makes the %s, which reads %s each time that it is used. Only a blueprint's SQL has that setting, while it runs: the application's sessions would fail. "+
			"Write the value into a row, or into the SQL of the object by format('... %%L', current_setting('%s')) in a DO block", object, read[1], read[1])
		problems = append(problems, p)
	}
	return problemsError(problems)
}

// firstWith is a problem at the first statement with a setting and the name of an object, else of
// blueprint.yaml: a DO block can put both together.
func firstWith(b blueprint.Blueprint, setting, name string) blueprint.Problem {
	for _, m := range b.Migrations {
		for _, statement := range m.Up {
			if strings.Contains(statement.SQL, setting) && strings.Contains(statement.SQL, name) {
				return blueprint.Problem{File: m.File, Line: statement.Line}
			}
		}
	}
	return blueprint.Problem{File: "blueprint.yaml"}
}

// extensionSchemas are the schemas of extensions. Each must be installed outside of public, and
// its schema open to all roles.
func extensionSchemas(ctx context.Context, conn *pgx.Conn, names []string) ([]string, error) {
	var (
		schemas  []string
		problems blueprint.Problems
	)
	add := func(format string, args ...any) {
		problems = append(problems, blueprint.Problem{File: "blueprint.yaml", Message: fmt.Sprintf(format, args...)})
	}
	for _, name := range names {
		quoted := pgx.Identifier{name}.Sanitize()
		var (
			schema string
			open   bool
		)
		err := conn.QueryRow(ctx, `SELECT n.nspname, has_schema_privilege('public', n.oid, 'USAGE') FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = $1`, name).Scan(&schema, &open)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			add("names the extension %s, which is not installed; have a DBA run: CREATE SCHEMA IF NOT EXISTS extensions; GRANT USAGE ON SCHEMA extensions TO PUBLIC; CREATE EXTENSION %s SCHEMA extensions", name, quoted)
		case err != nil:
			return nil, err
		case schema == "public":
			add("names the extension %s, which is installed in the schema public; have a DBA run: CREATE SCHEMA IF NOT EXISTS extensions; GRANT USAGE ON SCHEMA extensions TO PUBLIC; ALTER EXTENSION %s SET SCHEMA extensions", name, quoted)
		case !open:
			add("names the extension %s, whose schema the roles of tenants cannot use; have a DBA run: GRANT USAGE ON SCHEMA %s TO PUBLIC", name, pgx.Identifier{schema}.Sanitize())
		case schema != "pg_catalog" && !slices.Contains(schemas, schema):
			schemas = append(schemas, schema)
		}
	}
	return schemas, problemsError(problems)
}
