//go:build unix

package postgres_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// pretendCitus makes a database look as if it had the extension: its row, and the catalogs
// that this program reads. The extension itself is not tested here; see the guide.
func pretendCitus(t *testing.T, database string) {
	t.Helper()
	conn := testenv.Connect(t, testenv.SuperuserURL(t, database))
	if _, err := conn.Exec(t.Context(), `SET allow_system_table_mods = on;
		INSERT INTO pg_catalog.pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
			VALUES (999999, 'citus', 10, 'pg_catalog'::regnamespace, false, '13.0-1');
		CREATE TABLE pg_catalog.pg_dist_shard (logicalrelid regclass, shardid bigint);
		CREATE TABLE pg_catalog.pg_dist_placement (shardid bigint, groupid integer);
		CREATE TABLE pg_catalog.pg_dist_node (groupid integer, nodename text, nodeport integer, noderole text);
		GRANT SELECT ON pg_catalog.pg_dist_shard, pg_catalog.pg_dist_placement, pg_catalog.pg_dist_node TO PUBLIC`); err != nil {
		t.Fatal(err)
	}
}

func TestCitus_Sessions(t *testing.T) {
	t.Parallel()
	const settings = `SELECT coalesce(current_setting('citus.enable_schema_based_sharding', true), '') || '/' || coalesce(current_setting('citus.enable_unsafe_triggers', true), '')`
	without := setupIn(t, testenv.Database(t))
	if got := value[string](without, settings); got != "/" {
		t.Errorf("without Citus: %q", got)
	}
	if node, err := without.Node(t.Context(), "t_x"); node != "" || err != nil {
		t.Errorf("without Citus: %q, %v", node, err)
	}
	database := testenv.Database(t)
	pretendCitus(t, database)
	b := setupIn(t, database)
	if pgdb.ServerVersion(testenv.Connect(t, database)) < 16 {
		err := b.CheckWritable(t.Context())
		wantMessage(t, err, errs.KindPermanent, "the extension citus 13.0-1 on PostgreSQL", "16 or newer is needed", "upgrade all nodes")
		return
	}
	if got := value[string](b, settings); got != "on/on" {
		t.Errorf("with Citus: %q", got)
	}
	t1, t2 := b.ActiveTenant(postgrestest.Inputs("Clinic")), b.ActiveTenant(postgrestest.Inputs("Hospice"))
	canLogin := func() bool {
		return value[bool](b, `SELECT rolcanlogin FROM pg_roles WHERE rolname = $1`, t1.DatabaseRole)
	}
	if found := b.verify(t1.ID); !canLogin() || len(found) != 0 {
		t.Errorf("%t, %+v", canLogin(), found)
	}
	b.run(asDBA + `ALTER ROLE ` + t1.DatabaseRole + ` NOLOGIN`) // As it was before there was Citus.
	if found := b.verify(t1.ID); len(found) != 1 || !strings.Contains(found[0].Message, "has no LOGIN, with which Citus connects to its nodes") {
		t.Errorf("%+v", found)
	}
	if _, _, err := b.Repair(t.Context(), t1.ID); err != nil || !canLogin() {
		t.Errorf("%t, %v", canLogin(), err)
	}
	b.AsSuperuser(strings.ReplaceAll(`INSERT INTO pg_catalog.pg_dist_node VALUES (1, 'worker-1', 5432, 'primary'), (1, 'worker-1b', 5432, 'secondary');
		INSERT INTO pg_catalog.pg_dist_placement VALUES (102008, 1);
		INSERT INTO pg_catalog.pg_dist_shard VALUES ('{{schema}}.users', 102008)`, "{{schema}}", t1.SchemaName))
	for schema, want := range map[string]string{t1.SchemaName: "worker-1:5432", t2.SchemaName: "", "missing": ""} {
		if node, err := b.Node(t.Context(), schema); node != want || err != nil {
			t.Errorf("%s: %q, %v", schema, node, err)
		}
	}
}

func setupIn(t *testing.T, database string) fixture {
	return fixture{postgrestest.Open(t, pgdb.Options{URL: database})}
}

// TestCitus_AuditTriggerOnShard: on a worker the trigger runs on a shard, whose name has a
// number that the head's shard does not have.
func TestCitus_AuditTriggerOnShard(t *testing.T) {
	b := setup(t)
	clinic := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	insert := func(table string) {
		t.Helper()
		b.ExecScript(`INSERT INTO ` + clinic.SchemaName + `.` + table + ` (action, entity_type) VALUES ('x', 'y')`)
	}
	insert("audit_logs")
	b.ExecScript(`ALTER TABLE ` + clinic.SchemaName + `.audit_logs RENAME TO audit_logs_102010; ALTER TABLE ` + clinic.SchemaName + `.audit_head RENAME TO audit_head_102011`)
	insert("audit_logs_102010")
	insert("audit_logs_102010")
	b.ExecScript(`ALTER TABLE ` + clinic.SchemaName + `.audit_logs_102010 RENAME TO audit_logs; ALTER TABLE ` + clinic.SchemaName + `.audit_head_102011 RENAME TO audit_head`)
	if found := b.verify(clinic.ID); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	if n := value[int64](b, `SELECT seq FROM `+clinic.SchemaName+`.audit_head`); n != 3 {
		t.Errorf("the chain has %d rows", n)
	}
}

// TestCitus_Statements: no statement of a tenant's life is one that Citus refuses.
func TestCitus_Statements(t *testing.T) {
	t.Parallel()
	recorded := recordStatements(t, testenv.Database(t))
	b := setupIn(t, recorded.url)
	first, second := b.ActiveTenant(postgrestest.Inputs("Clinic")), b.ActiveTenant(postgrestest.Inputs("Hospice"))
	in := first.Inputs()
	in.AdminFirstName = "Grace"
	_, err := b.Update(t.Context(), first.ID, in, 0)
	b.Must(err)
	if found := append(b.verify(first.ID), b.verify(second.ID)...); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	c, err := b.OpenCredential(t.Context(), first.ID, credentials.Request{TTL: time.Hour})
	b.Must(err)
	b.Must(b.CloseCredential(t.Context(), first.ID, c.ID))
	b.archiveAndPurge(second)

	schemas, all := []string{first.SchemaName, second.SchemaName}, recorded.statements()
	about := 0
	for _, statement := range all {
		if strings.Contains(statement, first.SchemaName) || strings.Contains(statement, second.SchemaName) {
			about++
		}
		if why := postgrestest.RefusedByCitus(statement, schemas...); why != "" {
			t.Errorf("%s: %s", why, statement)
		}
	}
	quoted := `"` + first.SchemaName + `"`
	for _, want := range []string{"CREATE SCHEMA " + quoted, "CREATE TABLE users", "INSERT INTO users", "tenant_update_admin", "ALTER TABLE users", "DROP SCHEMA"} {
		if !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("no statement with %s was recorded", want)
		}
	}
	if about < 30 {
		t.Errorf("%d statements about the tenants' schemas of %d", about, len(all))
	}
}

// TestRefusedByCitus: the list finds what it is for.
func TestRefusedByCitus(t *testing.T) {
	t.Parallel()
	for statement, want := range map[string]string{
		`INSERT INTO "t_a".roles (id) SELECT * FROM unnest($1::uuid[])`:               "INSERT ... SELECT FROM a function has no distributed plan",
		`INSERT INTO t_a.roles (id) VALUES ((SELECT 1))`:                              "a subquery in VALUES",
		`UPDATE t_a.users SET updated_at = clock_timestamp()`:                         "a volatile function in UPDATE",
		`SELECT * FROM t_a.users, t_b.users`:                                          "tables of two tenants in one statement",
		`ALTER TABLE t_a.users ADD CONSTRAINT c CHECK (true), ADD COLUMN x int`:       "an ALTER TABLE that does something beside ADD CONSTRAINT",
		`INSERT INTO t_a.users (id) SELECT id FROM tenants WHERE id = $1`:             "",
		`UPDATE tenants SET updated_at = clock_timestamp() WHERE schema_name = 't_a'`: "",
	} {
		if got := postgrestest.RefusedByCitus(statement, "t_a", "t_b"); got != want {
			t.Errorf("%s: %q", statement, got)
		}
	}
}

// statementRecorder is a proxy before a database that records the statements of its clients.
type statementRecorder struct {
	url string

	mu  sync.Mutex
	all []string
}

func recordStatements(t *testing.T, database string) *statementRecorder {
	t.Helper()
	r := &statementRecorder{}
	handle := func(kind byte, body []byte) {
		if kind != 'P' && kind != 'Q' {
			return
		}
		fields := strings.Split(string(body), "\x00")
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all = append(r.all, fields[map[byte]int{'Q': 0, 'P': 1}[kind]])
	}
	r.url = testenv.ProxyMessages(t, database, func() (func(byte, []byte), func()) { return handle, func() {} })
	return r
}

func (r *statementRecorder) statements() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// archiveAndPurge archives a tenant and purges it at once.
func (b fixture) archiveAndPurge(t tenant.Tenant) {
	b.T.Helper()
	_, err := b.Archive(b.T.Context(), t.ID)
	b.Must(err)
	_, err = b.Purge(b.T.Context(), t.ID, 0)
	b.Must(err)
}
