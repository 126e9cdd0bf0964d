package tenantschema_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

// countReads stores how many rows of a catalog, {{catalog}}, each transaction that makes a tenant reads,
// between its first statement, which updates the tenant's row, and its commit.
const countReads = `CREATE TABLE reads (n bigint);
CREATE FUNCTION reads_so_far() RETURNS bigint LANGUAGE sql AS 'SELECT idx_tup_fetch FROM pg_stat_xact_sys_tables WHERE relid = ''{{catalog}}''::regclass';
CREATE FUNCTION begin_reads() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('test.reads', reads_so_far()::text, true); RETURN NEW; END $$;
CREATE FUNCTION end_reads() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO reads VALUES (reads_so_far() - current_setting('test.reads')::bigint); RETURN NULL; END $$;
CREATE TRIGGER reads BEFORE UPDATE ON tenants FOR EACH ROW EXECUTE FUNCTION begin_reads();
CREATE CONSTRAINT TRIGGER reads AFTER INSERT ON tenant_migrations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION end_reads()`

// countReads returns a function that makes tenants, and returns how many rows of a catalog one of them reads.
func (b fixture) countReads(catalog string) func(round string) int {
	b.T.Helper()
	b.ExecScript(strings.ReplaceAll(countReads, "{{catalog}}", catalog))
	return func(round string) int {
		b.Exec(`TRUNCATE reads`)
		for i := range 4 { // A new connection reads more.
			b.ActiveTenant(postgrestest.Inputs(fmt.Sprintf("Clinic %s %d", round, i)))
		}
		return value[int](b, `SELECT min(n) FROM reads`)
	}
}

// otherSchemas makes schemas with the functions of standard, by the statements of its migrations.
func (b fixture) otherSchemas(n int) {
	b.T.Helper()
	var statements []string
	for _, m := range blueprint.Standard().Migrations {
		for _, s := range m.Up {
			if strings.Contains(s.SQL, "CREATE FUNCTION") {
				statements = append(statements, "EXECUTE $statement$"+s.SQL+"$statement$;")
			}
		}
	}
	b.ExecScript(fmt.Sprintf(`DO $others$ BEGIN FOR i IN 1..%d LOOP
		EXECUTE 'CREATE SCHEMA other_' || i;
		PERFORM set_config('search_path', 'other_' || i, true);
		CREATE TABLE audit_logs ();
		%s
	END LOOP; END $others$`, n, strings.Join(statements, "\n")))
}

// TestPrepareSchema_ReadsOwnFunctions: making a tenant reads no functions of other schemas. PostgreSQL
// looks up a function among all of its name, so a name that each schema has would cost more with each.
func TestPrepareSchema_ReadsOwnFunctions(t *testing.T) {
	b := setup(t)
	reads := b.countReads("pg_proc")
	const others = 400
	alone := reads("before")
	b.otherSchemas(others)
	if n := value[int](b, `SELECT count(*) FROM pg_proc WHERE proname ~ '^audit_chain'`); n < others {
		t.Fatalf("%d functions", n)
	}
	beside := reads("after")
	t.Logf("%d reads of pg_proc, and %d beside %d other schemas", alone, beside, others)
	if alone == 0 || beside > alone+others/10 {
		t.Error("a tenant reads functions of other schemas")
	}
}

// TestPrepareSchema_ReadsMembershipsOnce: from PostgreSQL 16 on the user is a member of each role that
// it made, and a tenant of standard costs one reading of all of its memberships. Before that, and for a superuser, it
// costs none.
func TestPrepareSchema_ReadsMembershipsOnce(t *testing.T) {
	b := setup(t)
	reads := b.countReads("pg_auth_members")
	const others = 400
	alone := reads("before")
	each := func(command string) {
		b.ExecScript(fmt.Sprintf(`DO $others$ BEGIN FOR i IN 1..%d LOOP EXECUTE '%s "' || current_database() || '_other_' || i || '"'; END LOOP; END $others$`, others, command))
	}
	each("CREATE ROLE")
	defer each("DROP ROLE")
	beside := reads("after")
	t.Logf("%d reads of pg_auth_members, and %d beside %d other roles", alone, beside, others)
	if beside > alone+others*3/2 {
		t.Error("a tenant reads the memberships more than once")
	}
}
