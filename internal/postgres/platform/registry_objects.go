package platform

import (
	"context"
	"io/fs"
	"regexp"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// registryRelations and registryFunctions are the names of what the registry's migrations
// make in schema public. What else is there is the platform's. The tables of the migrations'
// own records, and those of the queue, are added by pattern.
var registryRelations, registryFunctions = registryNames()

const otherRelations = `{healthcare\_migration%,river\_%}`

func registryNames() (relations, functions []string) {
	made := regexp.MustCompile(`(?m)^CREATE (TABLE|SEQUENCE|FUNCTION) (\w+)`)
	files, err := fs.Glob(pgdb.Migrations(), "*.sql")
	if err != nil || len(files) == 0 {
		panic("there are no migrations") // They are embedded; only a broken build lacks them.
	}
	for _, name := range files {
		text, err := fs.ReadFile(pgdb.Migrations(), name)
		if err != nil {
			panic(err)
		}
		for _, match := range made.FindAllStringSubmatch(string(text), -1) {
			if match[1] == "FUNCTION" {
				functions = append(functions, match[2])
			} else {
				relations = append(relations, match[2])
			}
		}
	}
	return relations, functions
}

// registryObjectsSQL lists objects of the registry that belong to a role whose privileges the
// current user lacks. A function that runs as its owner must belong to one that has the
// current user's privileges as well: it writes to the tables of tenants.
const registryObjectsSQL = `SELECT kind, object, o.rolname, o.rolsuper, pg_has_role(current_user, owned.owner, 'USAGE') FROM (
		SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, format('%I.%I', n.nspname, c.relname) AS object, c.relowner AS owner, false AS definer
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'S') AND (c.relname = ANY ($1::name[]) OR c.relname LIKE ANY ($3::text[]))
			  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND c.relkind = 'S') -- It follows its table.
		UNION ALL SELECT 'FUNCTION', format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), p.proowner, p.prosecdef
			FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
			WHERE n.nspname = 'public' AND (p.proname = ANY ($2::name[]) OR p.proname LIKE ANY ($3::text[]))
	) owned JOIN pg_roles o ON o.oid = owned.owner, (SELECT oid, rolsuper FROM pg_roles WHERE rolname = current_user) me
	WHERE NOT pg_has_role(current_user, owned.owner, 'USAGE') OR definer AND NOT me.rolsuper AND NOT pg_has_role(owned.owner, me.oid, 'USAGE')
	ORDER BY kind DESC, object`

// openFunctionsSQL lists functions of the registry that every role may execute.
const openFunctionsSQL = `SELECT format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
	WHERE n.nspname = 'public' AND p.proname = ANY ($1::name[]) AND has_function_privilege('public', p.oid, 'EXECUTE') ORDER BY 1`

// copiesSQL lists other databases that let the connect role connect.
const copiesSQL = `SELECT d.datname FROM pg_database d, aclexplode(d.datacl) a JOIN pg_roles g ON g.oid = a.grantee
	WHERE d.datname <> current_database() AND g.rolname = $1 AND a.privilege_type = 'CONNECT' ORDER BY 1`

// registryObjects finds objects of the registry with another owner, functions that every role
// may execute, and copies of the registry.
func (c *checker) registryObjects(ctx context.Context) error {
	type object struct {
		Kind, Name, Owner string
		Superuser, Usable bool // The owner: it is one; the user has its privileges.
	}
	rows, _ := c.pool.Query(ctx, registryObjectsSQL, registryRelations, registryFunctions, otherRelations)
	foreign, err := pgx.CollectRows(rows, pgx.RowToStructByPos[object])
	if err != nil {
		return err
	}
	// The whole database was handed over, and not one table.
	moved := slices.ContainsFunc(foreign, func(o object) bool { return o.Name == "public.tenants" })
	keep := map[string][]string{}
	if moved {
		if keep, err = c.otherDatabases(ctx); err != nil {
			return err
		}
	}
	for _, o := range foreign {
		f := registryOwner(o.Kind, o.Name, o.Owner, c.rights.User)
		f.Repairable = o.Usable
		if moved && !o.Superuser && !o.Usable { // What is in the schemas of tenants comes with it.
			f.Statements = append([]string{`REASSIGN OWNED BY ` + quote(o.Owner) + ` TO ` + quote(c.rights.User)}, keep[o.Owner]...)
		}
		c.add(f)
	}
	rows, _ = c.pool.Query(ctx, openFunctionsSQL, registryFunctions)
	open, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, function := range open {
		c.add(Finding{Check: RegistryFunctionOpen, Object: "function " + function, Message: "may be executed by every role, with the rights of its owner or on the registry's tables",
			Statements: []string{`REVOKE EXECUTE ON FUNCTION ` + function + ` FROM PUBLIC`}, Repairable: c.rights.OwnsRegistry && len(foreign) == 0})
	}
	rows, _ = c.pool.Query(ctx, copiesSQL, c.rights.ConnectRole)
	copies, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, name := range copies {
		c.add(Finding{Check: RegistryCopied, Object: "database " + quote(name),
			Message: "of the same server has a copy of this registry or had one: both use the same roles, and a purge in one takes them from the other; drop the one that is not used, or move it to another server"})
	}
	return err
}

// otherDatabases are the statements that give back to their owners what REASSIGN OWNED takes
// along, although it is not of this database: other databases, and tablespaces.
func (c *checker) otherDatabases(ctx context.Context) (map[string][]string, error) {
	rows, _ := c.pool.Query(ctx, `SELECT o.rolname, format('ALTER %s %I OWNER TO %I', kind, name, o.rolname) FROM (
			SELECT 'DATABASE' AS kind, datname AS name, datdba AS owner FROM pg_database WHERE datname <> current_database()
			UNION ALL SELECT 'TABLESPACE', spcname, spcowner FROM pg_tablespace
		) shared JOIN pg_roles o ON o.oid = shared.owner WHERE NOT o.rolsuper ORDER BY 1, kind, name`)
	var owner, statement string
	statements := map[string][]string{}
	_, err := pgx.ForEachRow(rows, []any{&owner, &statement}, func() error {
		statements[owner] = append(statements[owner], statement)
		return nil
	})
	return statements, err
}
