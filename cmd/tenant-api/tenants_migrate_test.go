//go:build unix

package main_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// The revisions of the blueprint whose tenants are migrated: each migration leaves a row, so that
// one that ran twice is seen. Tenants have neither users nor contracts.
const (
	migratedYAML = "apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: clinic\nextends: none\ncontract: none\n"
	migratedFrom = "-- +goose Up\nCREATE TABLE patients (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);\nCREATE TABLE applied (version int NOT NULL);\n"
)

var migratedTo = map[string]string{
	"blueprint.yaml":               migratedYAML,
	"migrations/0001_patients.sql": migratedFrom,
	"migrations/0002_phone.sql":    "-- +goose Up\nINSERT INTO applied VALUES (2);\nALTER TABLE patients ADD COLUMN phone text;\n",
	"migrations/0003_index.sql":    "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY patients_phone ON patients (phone);\n",
	"migrations/0004_unique.sql":   "-- +goose Up\n-- +blueprint allow: scans\nINSERT INTO applied VALUES (4);\nCREATE UNIQUE INDEX patients_name ON patients (name);\n",
}

// postTenants creates tenants of the blueprint clinic, eight at once, and waits for them.
func (w *testEnv) postTenants(p *process, from, to int) {
	w.t.Helper()
	var clients sync.WaitGroup
	for client := range 8 {
		clients.Go(func() {
			for i := from + client; i < to; i += 8 {
				body := clinic(fmt.Sprintf("Clinic %d", i))
				body["blueprint"] = "clinic"
				if a, err := p.do(http.MethodPost, "/admin/tenants", body); err != nil || a.status != http.StatusAccepted {
					w.t.Errorf("tenant %d: %v: %s", i, err, a.text)
				}
			}
		})
	}
	clients.Wait()
	w.waitFor(fmt.Sprintf("%d tenants", to), w.hasActive(to))
}

// migration is a process that migrates.
type migration struct {
	*exec.Cmd
	out, err bytes.Buffer
}

func (w *testEnv) startMigration(more ...string) *migration {
	w.t.Helper()
	m := &migration{Cmd: w.command(append([]string{"tenants", "migrate", "--blueprint", "clinic", "--parallel", "4"}, more...)...)}
	m.Stdout, m.Stderr = &m.out, &m.err
	if err := m.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = m.Process.Kill() // It has ended, unless the test failed.
		if w.t.Failed() {
			_ = m.Wait()
			w.t.Logf("%s of a migration:\n%s%s", m.ProcessState, m.out.String(), m.err.String())
		}
	})
	return m
}

// kill ends a migration at once; it must not have ended by itself.
func (m *migration) kill(t *testing.T) {
	t.Helper()
	if err := m.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = m.Wait() // It says that the process was killed.
	if status, ok := m.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Fatalf("the migration had ended: %s%s", m.out.String(), m.err.String())
	}
}

// TestTenantsMigrate_Faults: many tenants reach the next revision although the migration is killed
// twice, two processes migrate at once, three tenants cannot be migrated at first, and others are
// made meanwhile. No migration runs twice in a tenant.
func TestTenantsMigrate_Faults(t *testing.T) {
	const more = 20
	tenants := testenv.Count(t, 200, 500)
	w := setup(t)
	conn := testenv.Connect(t, w.env["DATABASE_URL"])
	migrated := func() int { return w.registry.AtRevision(2) }
	w.mustRun("blueprints", "publish", writeBlueprint(t, map[string]string{"blueprint.yaml": migratedYAML, "migrations/0001_patients.sql": migratedFrom}), "--activate")
	server := w.start(w.createKey("admin"), "serve")
	w.postTenants(server, 0, tenants)
	all := w.registry.All()
	broken := []string{all[30].SchemaName, all[tenants/2].SchemaName, all[tenants-20].SchemaName}
	for _, schema := range broken {
		if _, err := conn.Exec(t.Context(), `INSERT INTO `+pgx.Identifier{schema, "patients"}.Sanitize()+` (name) VALUES ('Ada'), ('Ada')`); err != nil {
			t.Fatal(err)
		}
	}
	w.mustRun("blueprints", "publish", writeBlueprint(t, migratedTo), "--activate").want(t, 0, "revision 2, active, schema version 4")

	first := w.startMigration()
	w.waitFor("the first tenants", func() bool { return migrated() > 50 })
	first.kill(t)
	// The oldest tenant that is left is the canary now.
	w.run("tenants", "migrate", "--blueprint", "clinic").want(t, 1, "the canary tenant ", "No further tenant was migrated", "--canary -1")
	second, third := w.startMigration("--canary", "-1"), w.startMigration("--canary", "-1")
	w.postTenants(server, tenants, tenants+more)
	w.waitFor("more tenants", func() bool { return migrated() > tenants*2/5+more })
	second.kill(t)
	fourth := w.startMigration("--canary", "-1")
	for _, m := range []*migration{third, fourth} {
		_ = m.Wait()
		if out := m.out.String() + m.err.String(); m.ProcessState.ExitCode() != 1 || !strings.Contains(out, "3 failed") || strings.Count(out, "0004_unique.sql:4: could not create unique index") < 3 {
			t.Errorf("exit code %d: %s", m.ProcessState.ExitCode(), out)
		}
	}
	if n := migrated(); n != tenants+more-len(broken) {
		t.Errorf("%d tenants were migrated", n)
	}
	for _, schema := range broken {
		if _, err := conn.Exec(t.Context(), `DELETE FROM `+pgx.Identifier{schema, "patients"}.Sanitize()+` WHERE id = 2`); err != nil {
			t.Fatal(err)
		}
	}
	w.mustRun("tenants", "migrate", "--blueprint", "clinic").want(t, 0, "3 of 3 tenants migrated, 0 failed")
	w.mustRun("tenants", "migrate", "--blueprint", "clinic").want(t, 0, "nothing to migrate")
	w.mustRun("tenants", "verify", "--offline").want(t, 0, fmt.Sprintf("%d tenants checked, 0 findings", tenants+more))
	w.assertMigratedOnce(conn, tenants+more)
}

// assertMigratedOnce checks that each tenant has the rows that the migrations leave, once, and the
// ledger's.
func (w *testEnv) assertMigratedOnce(conn *pgx.Conn, want int) {
	w.t.Helper()
	all := w.registry.Ledgers("clinic")
	if len(all) != want {
		w.t.Fatalf("%d tenants, want %d", len(all), want)
	}
	for _, t := range all {
		var applied []int
		err := conn.QueryRow(w.t.Context(), `SELECT array_agg(version ORDER BY version) FROM `+pgx.Identifier{t.SchemaName, "applied"}.Sanitize(), pgx.QueryExecModeExec).Scan(&applied)
		if err != nil || !slices.Equal(applied, []int{2, 4}) || !slices.Equal(t.Versions, []int{1, 2, 3, 4}) || t.SchemaVersion != 4 {
			w.t.Errorf("%+v: applied %v: %v", t, applied, err)
		}
	}
}

// TestTenantsMigrate_NeverEnds: a migration that does not end in one tenant is ended after a time,
// rolled back and named, and ends with the process that is terminated.
func TestTenantsMigrate_NeverEnds(t *testing.T) {
	w := setup(t)
	conn := testenv.Connect(t, w.env["DATABASE_URL"])
	files := map[string]string{"blueprint.yaml": migratedYAML, "migrations/0001_patients.sql": migratedFrom}
	w.mustRun("blueprints", "publish", writeBlueprint(t, files), "--activate")
	w.postTenants(w.start(w.createKey("admin"), "serve"), 0, 3)
	schema := w.registry.All()[0].SchemaName
	if _, err := conn.Exec(t.Context(), `INSERT INTO `+pgx.Identifier{schema, "patients"}.Sanitize()+` (name) VALUES ('Ada')`); err != nil {
		t.Fatal(err)
	}
	files["migrations/0002_slow.sql"] = "-- +goose Up\n-- +blueprint allow: scans\nCREATE TABLE visits (id int);\nSELECT pg_sleep(3600) FROM patients;\n"
	w.mustRun("blueprints", "publish", writeBlueprint(t, files), "--activate")
	running := func() bool {
		var n int
		err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'SELECT pg_sleep(3600)%'`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
	m := w.startMigration("--canary", "-1", "--statement-timeout", "0s")
	w.waitFor("the statement", running)
	if err := m.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _ = m.Wait(); m.ProcessState.ExitCode() <= 0 {
		t.Errorf("%s: %s%s", m.ProcessState, m.out.String(), m.err.String())
	}
	w.waitFor("the end of the statement", func() bool { return !running() })

	w.run("tenants", "migrate", "--blueprint", "clinic", "--canary", "-1", "--statement-timeout", "500ms").
		want(t, 1, "1 failed", "migrations/0002_slow.sql:4: ", "it had 500ms", "--statement-timeout")
	var left *string
	if err := conn.QueryRow(t.Context(), `SELECT to_regclass($1)::text`, schema+".visits").Scan(&left); err != nil || left != nil {
		t.Errorf("the failed migration left a table: %v", err)
	}
	if running() {
		t.Error("the statement runs on")
	}
	w.run("tenants", "migrate", "--statement-timeout", "-1s").want(t, 2, "--statement-timeout is -1s; give a positive duration")
}
