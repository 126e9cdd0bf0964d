package platform

import (
	"context"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// registryRelations and registryFunctions are what the registry's migrations and those of the
// queue make in schema public. What else is there is the platform's or someone else's, whatever
// its name: functions have their argument types, so that another one of that name is none.
var registryRelations, registryFunctions = registryNames()

// queueFunction is the one of the queue, which every role may execute.
const queueFunction = "river_job_state_in_bitmask(bit, river_job_state)"

func registryNames() (relations, functions []string) {
	relations = []string{"healthcare_migrations", "healthcare_migration_lock", "river_job", "river_leader", "river_migration", "river_notification", "river_queue"}
	made := regexp.MustCompile(`(?m)^CREATE (TABLE|SEQUENCE|FUNCTION) (\w+)(?:\((.*?)\))?`)
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
				functions = append(functions, match[2]+"("+argumentTypes(match[3])+")")
			} else {
				relations = append(relations, match[2])
			}
		}
	}
	return relations, functions
}

// argumentTypes are the types of a function's arguments as oidvectortypes has them. Each
// argument is a name and a type of one word.
func argumentTypes(arguments string) string {
	var types []string
	for argument := range strings.SplitSeq(arguments, ",") {
		if _, name, found := strings.Cut(strings.TrimSpace(argument), " "); found {
			types = append(types, strings.Replace(name, "timestamptz", "timestamp with time zone", 1))
		}
	}
	return strings.Join(types, ", ")
}

// functionSignature is an expression over a row p of pg_proc, as in registryFunctions.
const functionSignature = `p.proname || '(' || replace(oidvectortypes(p.proargtypes), 'public.', '') || ')'`

// registryObjectsSQL lists objects of the registry that belong to a role whose privileges the
// current user lacks. A function that runs as its owner must belong to one that has the
// current user's privileges as well: it writes to the tables of tenants.
const registryObjectsSQL = `SELECT kind, object, o.rolname, o.rolsuper, pg_has_role(current_user, owned.owner, 'USAGE') FROM (
		SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, format('%I.%I', n.nspname, c.relname) AS object, c.relowner AS owner, false AS definer
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'S') AND c.relname = ANY ($1::name[])
			  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND c.relkind = 'S') -- It follows its table.
		UNION ALL SELECT 'FUNCTION', format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), p.proowner, p.prosecdef
			FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
			WHERE n.nspname = 'public' AND ` + functionSignature + ` = ANY ($2::text[])
	) owned JOIN pg_roles o ON o.oid = owned.owner, (SELECT oid, rolsuper FROM pg_roles WHERE rolname = current_user) me
	WHERE NOT pg_has_role(current_user, owned.owner, 'USAGE') OR definer AND NOT me.rolsuper AND NOT pg_has_role(owned.owner, me.oid, 'USAGE')
	ORDER BY kind DESC, object`

// openFunctionsSQL lists functions of the registry that every role may execute.
const openFunctionsSQL = `SELECT format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
	WHERE n.nspname = 'public' AND ` + functionSignature + ` = ANY ($1::text[]) AND has_function_privilege('public', p.oid, 'EXECUTE') ORDER BY 1`

// lackingSQL lists tables of the registry that the user owns, and on which it took a privilege
// from itself, or a DBA did.
const lackingSQL = `SELECT format('%I.%I', n.nspname, c.relname), array_to_string(ARRAY(SELECT p FROM unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) p WHERE NOT has_table_privilege(c.oid, p)), ', ')
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname = ANY ($1::name[]) AND pg_has_role(c.relowner, 'USAGE')
	  AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')) ORDER BY 1`

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
	rows, _ := c.pool.Query(ctx, registryObjectsSQL, registryRelations, append([]string{queueFunction}, registryFunctions...))
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
		f := registryOwner(o.Kind, o.Name, o.Owner, c.privileges.User)
		f.Repairable = o.Usable
		switch {
		case o.Usable || o.Superuser:
		case o.Owner != c.privileges.RegistryOwner:
			f = unknownOwner(f)
		case moved: // What is in the schemas of tenants comes with it.
			f.Statements = append([]string{`REASSIGN OWNED BY ` + quote(o.Owner) + ` TO ` + quote(c.privileges.User)}, keep[o.Owner]...)
		}
		c.add(f)
	}
	rows, _ = c.pool.Query(ctx, openFunctionsSQL, registryFunctions)
	open, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, function := range open {
		c.add(Finding{Check: RegistryFunctionOpen, Object: "function " + function, Message: "may be executed by every role, with the privileges of its owner or on the registry's tables",
			Statements: []string{`REVOKE EXECUTE ON FUNCTION ` + function + ` FROM PUBLIC`}, Repairable: c.privileges.OwnsRegistry && len(foreign) == 0})
	}
	if err := c.lacking(ctx); err != nil {
		return err
	}
	rows, _ = c.pool.Query(ctx, copiesSQL, c.privileges.ConnectRole)
	copies, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, name := range copies {
		c.add(Finding{Check: RegistryCopied, Object: "database " + quote(name),
			Message: "of the same server has a copy of this registry or had one: both use the same roles, and a purge in one takes them from the other; drop the one that is not used, or move it to another server"})
	}
	return err
}

// unknownOwner is a finding about an object that anyone may have made who may create objects
// there: as the registry owner's, its code would run with that role's privileges.
func unknownOwner(f Finding) Finding {
	f.Message += ", and that role is neither a superuser nor the owner of the table registry: compare the object with one of a registry that this release made, then drop it or change its owner"
	f.Statements, f.Repairable = nil, false
	return f
}

// lacking finds tables of the registry of which the user has not all privileges, although it
// owns them.
func (c *checker) lacking(ctx context.Context) error {
	rows, _ := c.pool.Query(ctx, lackingSQL, registryRelations)
	var table, privileges string
	_, err := pgx.ForEachRow(rows, []any{&table, &privileges}, func() error {
		c.add(Finding{Check: RegistryPrivileges, Object: "table " + table, Message: "does not give " + privileges + " to role " + quote(c.privileges.User),
			Statements: []string{`GRANT ` + privileges + ` ON ` + table + ` TO ` + quote(c.privileges.User)}, Repairable: true})
		return nil
	})
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
