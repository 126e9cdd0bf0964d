package publish_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

const addPhone = `ALTER TABLE patients ADD COLUMN phone text;`

// clinics are live tenants of the blueprint clinic, at its first revision.
func clinics(b postgrestest.Fixture, n int) (all []tenant.Tenant) {
	b.T.Helper()
	publish(b.T, b, clinic())
	for i := range n {
		all = append(all, clinicTenant(b, postgrestest.Inputs(fmt.Sprintf("Clinic %d", i))))
	}
	return all
}

func migrate(b postgrestest.Fixture, o tenantschema.MigrationOptions) tenantschema.MigrationReport {
	b.T.Helper()
	report, err := b.MigrateTenants(b.T.Context(), o)
	if err != nil {
		b.T.Fatalf("%+v, %v", report, err)
	}
	return report
}

// wantSound fails the test unless a tenant is at a revision and without faults.
func wantSound(b postgrestest.Fixture, t tenant.Tenant, revision int) {
	b.T.Helper()
	now, err := b.Get(b.T.Context(), t.ID)
	if err != nil || now.BlueprintRevision != revision {
		b.T.Errorf("%s is at revision %d, want %d: %v", t.Name, now.BlueprintRevision, revision, err)
	}
	if drift, err := b.Verify(b.T.Context(), t.ID); err != nil || len(drift) > 0 {
		b.T.Errorf("%s: %+v, %v", t.Name, drift, err)
	}
}

func TestMigrate_BringsTenantsToTheActiveRevision(t *testing.T) {
	b := postgrestest.Setup(t)
	all := clinics(b, 3)
	standard := b.ActiveTenant(postgrestest.Inputs("Standard"))
	publish(t, b, clinic(addPhone, "CREATE TABLE visits (id bigserial PRIMARY KEY, patient_id bigint REFERENCES patients (id));",
		"blueprint.yaml:\n"+strings.Replace(clinicYAML, "[icd10]", "[icd10, patients]", 1)))
	born := clinicTenant(b, postgrestest.Inputs("Born later"))
	wantSound(b, born, 2)
	if report := migrate(b, tenantschema.MigrationOptions{DryRun: true}); report.Pending != 3 || len(report.Targets) != 2 || report.Targets[0].Revision != 2 || report.Targets[0].Version != 3 {
		t.Errorf("%+v", report)
	}
	if report := migrate(b, tenantschema.MigrationOptions{}); report.Migrated != 3 {
		t.Errorf("%+v", report)
	}
	for _, tenant := range all {
		wantSound(b, tenant, 2)
		for _, privilege := range []struct {
			table, privilege string
			want             bool
		}{{"visits", "INSERT", true}, {"patients", "SELECT", true}, {"patients", "UPDATE", false}} {
			table := pgx.Identifier{tenant.SchemaName, privilege.table}.Sanitize()
			if got := postgrestest.Value[bool](b, `SELECT has_table_privilege($1, $2, $3)`, tenant.DatabaseRole, table, privilege.privilege); got != privilege.want {
				t.Errorf("%s on %s: %t", privilege.privilege, privilege.table, got)
			}
		}
	}
	wantSound(b, standard, 0)
	if again := migrate(b, tenantschema.MigrationOptions{Blueprint: "clinic"}); again.Pending != 0 {
		t.Errorf("%+v", again)
	}
	// Going back is for new tenants: those that exist keep what they have.
	b.Must(b.Blueprints.Activate(t.Context(), "clinic", 1))
	if back := migrate(b, tenantschema.MigrationOptions{}); back.Pending != 0 {
		t.Errorf("%+v", back)
	}
	wantSound(b, clinicTenant(b, postgrestest.Inputs("Old again")), 1)
}

// TestMigrate_FailsForSome: three tenants have rows that the migration cannot take. The others
// are migrated, and the three are named and unchanged.
func TestMigrate_FailsForSome(t *testing.T) {
	b := postgrestest.Setup(t)
	all := clinics(b, 12)
	broken := map[string]bool{}
	for _, i := range []int{3, 5, 9} {
		b.Exec(`INSERT INTO ` + pgx.Identifier{all[i].SchemaName, "patients"}.Sanitize() + ` (name) VALUES ('x'), ('x')`)
		broken[all[i].ID.String()] = true
	}
	publish(t, b, clinic("-- +blueprint allow: scans\nCREATE UNIQUE INDEX patients_name ON patients (name);"))
	report, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{})
	postgrestest.WantKind(t, err, errs.KindPermanent)
	if report.Migrated != 9 || len(report.Failed) != 3 {
		t.Errorf("%+v", report)
	}
	for _, f := range report.Failed {
		if text := errs.SafeMessage(f.Err); !broken[f.TenantID.String()] || !strings.Contains(text, "migrations/0002_more.sql:3: could not create unique index") {
			t.Errorf("%s: %s", f.TenantID, text)
		}
	}
	for _, tenant := range all {
		if broken[tenant.ID.String()] {
			wantBehind(b, tenant)
			continue
		}
		wantSound(b, tenant, 2)
	}
}

// wantBehind fails the test unless the only fault of a tenant is that it is at an older version.
func wantBehind(b postgrestest.Fixture, t tenant.Tenant) {
	b.T.Helper()
	wantSound(b, t, 1)
	found, err := b.Blueprints.Get(b.T.Context(), "clinic")
	if err != nil || found.TenantsBehind == 0 {
		b.T.Errorf("%+v, %v", found, err)
	}
}

// TestMigrate_Concurrently: an index that an interrupted run left is recreated, one that is
// complete is kept.
func TestMigrate_Concurrently(t *testing.T) {
	b := postgrestest.Setup(t)
	all := clinics(b, 3)
	for i, valid := range []bool{false, true} {
		table := pgx.Identifier{all[i].SchemaName, "patients"}.Sanitize()
		b.Exec(`CREATE INDEX patients_name ON ` + table + ` (name)`)
		b.AsSuperuser(fmt.Sprintf(`UPDATE pg_index SET indisvalid = %t WHERE indexrelid = '%s.patients_name'::regclass`, valid, all[i].SchemaName))
	}
	publish(t, b, clinic("", addPhone, "migrations/0002_more.sql:\n-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY patients_name ON patients (name);\n"))
	if report := migrate(b, tenantschema.MigrationOptions{}); report.Migrated != 3 {
		t.Errorf("%+v", report)
	}
	for _, tenant := range all {
		wantSound(b, tenant, 2)
	}
	wantSound(b, clinicTenant(b, postgrestest.Inputs("New")), 2)
}

// TestMigrate_IncompleteIndex: the server still makes an index for a process that was killed. The
// next one waits for it, and makes it again when it came to nothing.
func TestMigrate_IncompleteIndex(t *testing.T) {
	b := postgrestest.Setup(t)
	made := clinics(b, 1)[0]
	table := pgx.Identifier{made.SchemaName, "patients"}.Sanitize()
	publish(t, b, clinic("", addPhone, "migrations/0002_more.sql:\n-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY patients_name ON patients (name);\n"))
	holder, err := b.Pool().Begin(t.Context())
	b.Must(err)
	t.Cleanup(func() { _ = holder.Rollback(t.Context()) })
	_, err = holder.Exec(t.Context(), `LOCK TABLE `+table+` IN SHARE UPDATE EXCLUSIVE MODE`)
	b.Must(err)
	waiting := func(want int) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); postgrestest.Value[int](b, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
				AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND clock_timestamp() - query_start > current_setting('deadlock_timeout')::interval * 1.5`) != want; {
			if time.Now().After(deadline) {
				t.Fatalf("not %d statements wait", want)
			}
			<-time.After(50 * time.Millisecond) // Poll interval.
		}
	}
	killed, other := make(chan error, 1), testenv.Connect(t, b.Pool().Config().ConnString()) // Without the limits of the program's sessions.
	go func() {
		_, err := other.Exec(t.Context(), `CREATE INDEX CONCURRENTLY patients_name ON `+table+` (name)`)
		killed <- err
	}()
	waiting(1)
	done := make(chan error, 1)
	go func() {
		_, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{})
		done <- err
	}()
	waiting(2) // Neither looks for a deadlock again: the one that begins to wait next does.
	b.Must(holder.Commit(t.Context()))
	if err := <-killed; err == nil {
		t.Error("the index of the killed process was completed, so this test shows nothing")
	}
	b.Must(<-done)
	wantSound(b, made, 2)
}

// TestMigrate_SlowIndex: the lock on the tenant lasts as long as its index takes, however long other
// transactions may be idle.
func TestMigrate_SlowIndex(t *testing.T) {
	b := postgrestest.Setup(t)
	made := clinics(b, 1)[0]
	table := pgx.Identifier{made.SchemaName, "patients"}.Sanitize()
	publish(t, b, clinic("", addPhone, "migrations/0002_more.sql:\n-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY patients_name ON patients (name);\n"))
	holder := testenv.Connect(t, b.Pool().Config().ConnString())
	for _, statement := range []string{`BEGIN`, `LOCK TABLE ` + table + ` IN SHARE UPDATE EXCLUSIVE MODE`} {
		_, err := holder.Exec(t.Context(), statement)
		b.Must(err)
	}
	short := postgrestest.Open(t, pgdb.Options{URL: b.Pool().Config().ConnString(), Tracer: idleTracer{}})
	done := make(chan error, 1)
	go func() {
		_, err := short.MigrateTenants(t.Context(), tenantschema.MigrationOptions{})
		done <- err
	}()
	const waits = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > '1 s'`
	for deadline := time.Now().Add(20 * time.Second); postgrestest.Value[int](b, waits) == 0; <-time.After(50 * time.Millisecond) { // Poll interval.
		if time.Now().After(deadline) {
			t.Fatal("no index waits")
		}
	}
	if free := postgrestest.Value[int](b, `SELECT count(*) FROM (SELECT FROM tenant_migrations WHERE tenant_id = $1 FOR UPDATE SKIP LOCKED) l`, made.ID); free != 1 {
		t.Errorf("%d of the 2 rows of its ledger are not locked", free)
	}
	_, err := holder.Exec(t.Context(), `COMMIT`)
	b.Must(err)
	b.Must(<-done)
	wantSound(b, made, 2)
}

// idleTracer lets transactions be idle for a short time only.
type idleTracer struct{}

func (idleTracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.HasPrefix(q.SQL, "BEGIN") {
		_, _ = conn.PgConn().Exec(ctx, `SET idle_in_transaction_session_timeout = 200`).ReadAll()
	}
	return ctx
}

func (idleTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TestMigrate_ConcurrentProcesses: two processes make and drop the same indexes at once. None is
// left incomplete, and none that a later migration dropped is made again.
func TestMigrate_ConcurrentProcesses(t *testing.T) {
	one, two := postgrestest.TwoProcesses(t)
	all := clinics(one, 12)
	const concurrently = "migrations/%04d_more.sql:\n-- +goose NO TRANSACTION\n-- +goose Up\n%s;\n"
	publish(t, one, clinic("", "", "", "", fmt.Sprintf(concurrently, 2, "CREATE INDEX CONCURRENTLY patients_name ON patients (name)"),
		fmt.Sprintf(concurrently, 3, "CREATE INDEX CONCURRENTLY patients_email ON patients (email)"),
		fmt.Sprintf(concurrently, 4, "DROP INDEX CONCURRENTLY patients_name"), fmt.Sprintf(concurrently, 5, "REINDEX INDEX CONCURRENTLY patients_email")))
	var processes sync.WaitGroup
	var migrated atomic.Int64
	for _, process := range []postgrestest.Fixture{one, two} {
		processes.Go(func() {
			report, err := process.MigrateTenants(t.Context(), tenantschema.MigrationOptions{})
			if err != nil {
				t.Errorf("%+v, %v", report, err)
			}
			migrated.Add(int64(report.Migrated))
		})
	}
	processes.Wait()
	if n := migrated.Load(); n < int64(len(all)) {
		t.Errorf("%d tenants were migrated", n)
	}
	for _, tenant := range all {
		wantSound(one, tenant, 2)
	}
}

// TestMigrate_BlockedTenant: a session that holds a tenant's table is named, and ended on request.
func TestMigrate_BlockedTenant(t *testing.T) {
	b := postgrestest.Setup(t)
	all := clinics(b, 2)
	publish(t, b, clinic(addPhone))
	tx, err := b.Pool().Begin(t.Context())
	b.Must(err)
	t.Cleanup(func() { _ = tx.Rollback(t.Context()) })
	_, err = tx.Exec(t.Context(), `SELECT FROM `+pgx.Identifier{all[1].SchemaName, "patients"}.Sanitize())
	b.Must(err)
	report, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{})
	if text := errs.SafeMessage(err); report.Migrated != 1 || len(report.Failed) != 1 || !strings.Contains(text, "are held by the session ") || !strings.Contains(text, "--end-sessions") {
		t.Errorf("%+v, %v", report, err)
	}
	if report := migrate(b, tenantschema.MigrationOptions{EndSessions: true}); report.Migrated != 1 {
		t.Errorf("%+v", report)
	}
	if n := postgrestest.Value[int](b, `SELECT count(*) FROM audit_events WHERE tenant_id = $1 AND action = 'tenant.end_sessions'`, all[1].ID); n == 0 {
		t.Error("nothing is on the record")
	}
	wantSound(b, all[1], 2)
}

// TestMigrate_DroppedSchema: the tenant is named, with what to do, and does not stop the others.
func TestMigrate_DroppedSchema(t *testing.T) {
	b := postgrestest.Setup(t)
	all := clinics(b, 3)
	publish(t, b, clinic(addPhone))
	b.Exec(`DROP SCHEMA ` + pgx.Identifier{all[1].SchemaName}.Sanitize() + ` CASCADE`)
	report, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{})
	if text := errs.SafeMessage(err); report.Migrated != 2 || !strings.Contains(text, "the schema "+all[1].SchemaName+" does not exist") || !strings.Contains(text, "tenant-api tenants archive "+all[1].ID.String()) {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestMigrate_GuardAtRunTime: what a trial cannot see, because it depends on the tenant's rows, is
// rolled back and named.
func TestMigrate_GuardAtRunTime(t *testing.T) {
	b := postgrestest.Setup(t)
	all := clinics(b, 2)
	b.Exec(`INSERT INTO ` + pgx.Identifier{all[0].SchemaName, "patients"}.Sanitize() + ` (name) VALUES ('x')`)
	other := pgx.Identifier{all[1].SchemaName, "patients"}.Sanitize()
	publish(t, b, clinic(`DO $$ BEGIN IF EXISTS (SELECT FROM patients WHERE id = 1) THEN EXECUTE 'INSERT INTO `+other+` (name) VALUES (''y'')'; END IF; END $$;`))
	report, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{Canary: -1})
	if text := errs.SafeMessage(err); report.Migrated != 1 || !strings.Contains(text, "outside of the tenant's schema: "+all[1].SchemaName+".patients") {
		t.Errorf("%+v, %v", report, err)
	}
	if n := postgrestest.Value[int](b, `SELECT count(*) FROM `+other); n != 0 {
		t.Errorf("%d rows were written to another tenant", n)
	}
}

// TestTriggers_RunAsSchemaOwner: a trigger of a blueprint that writes elsewhere is refused at birth,
// when the administrator is inserted, and when the administrator is changed later.
func TestTriggers_RunAsSchemaOwner(t *testing.T) {
	b := postgrestest.Setup(t)
	other := b.ActiveTenant(postgrestest.Inputs("Other"))
	target := pgx.Identifier{other.SchemaName, "roles"}.Sanitize()
	trigger := func(condition, statement string) string {
		return "CREATE FUNCTION spread() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF " + condition + " THEN EXECUTE '" + statement + "'; END IF; RETURN NEW; END $$;\n" +
			"CREATE TRIGGER spread BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION spread();"
	}
	insert := "INSERT INTO " + target + " (name) VALUES (''x'')"
	_, err := b.Blueprints.Publish(t.Context(), clinic("-- +blueprint seed\nSELECT 1;\n"+trigger("true", insert)), true)
	b.Must(err) // The trigger is newer than the administrator.
	made := clinicTenant(b, postgrestest.Inputs("Clinic"))
	in := made.Inputs()
	in.AdminFirstName = "Grace"
	if _, err := b.Update(t.Context(), made.ID, in, 0); !strings.Contains(errs.SafeMessage(err), "outside of the tenant's schema: "+other.SchemaName+".roles") {
		t.Errorf("an update: %v", err)
	}
	publish(t, b, clinic("-- +blueprint seed\nSELECT 1;\n"+trigger("true", insert), "CREATE OR REPLACE FUNCTION spread() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.last_name := current_user; RETURN NEW; END $$;"))
	if report := migrate(b, tenantschema.MigrationOptions{}); report.Migrated != 1 {
		t.Errorf("%+v", report)
	}
	updated, err := b.Update(t.Context(), made.ID, in, 0)
	b.Must(err)
	if name := postgrestest.Value[string](b, `SELECT last_name FROM `+pgx.Identifier{updated.SchemaName, "users"}.Sanitize()); !strings.HasPrefix(name, "healthcare_schemas_") {
		t.Errorf("the trigger ran as %s", name)
	}
	if n := postgrestest.Value[int](b, `SELECT count(*) FROM `+target+` WHERE name = 'x'`); n != 0 {
		t.Errorf("%d rows were written to another tenant", n)
	}
}
