package postgres_test

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// files are this program's first version and what comes after it.
func files(t *testing.T, later ...string) fs.FS {
	t.Helper()
	first, err := fs.ReadFile(postgres.TenantFiles(), "00001_initial.sql")
	if err != nil {
		t.Fatal(err)
	}
	dir := fstest.MapFS{"00001_initial.sql": {Data: first}}
	for i, text := range later {
		dir[fmt.Sprintf("%05d_later.sql", i+2)] = &fstest.MapFile{Data: []byte(text)}
	}
	return dir
}

const (
	addPhone = `ALTER TABLE {{schema}}.users ADD COLUMN phone varchar(40);`
	addNotes = `-- Two statements, and a body with semicolons.
CREATE TABLE {{schema}}.notes (id bigint PRIMARY KEY, body text);
CREATE FUNCTION {{schema}}.touch() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1;
    PERFORM 2;
END $$;
GRANT SELECT ON {{schema}}.notes TO {{role}};`
)

// tenants makes live ones.
func (b bundle) tenants(n int) []provisioning.Tenant {
	b.t.Helper()
	var all []provisioning.Tenant
	for i := range n {
		all = append(all, b.live(inputs(fmt.Sprintf("Clinic %d", i))))
	}
	return all
}

func (b bundle) fleet(dir fs.FS, o postgres.FleetOptions) postgres.FleetReport {
	b.t.Helper()
	report, err := postgres.MigrateTenantsFrom(b.t.Context(), b.DB, dir, o)
	if err != nil {
		b.t.Fatalf("%+v, %v", report, err)
	}
	return report
}

func (b bundle) versions(t provisioning.Tenant) []int {
	b.t.Helper()
	return value[[]int](b, `SELECT array_agg(version ORDER BY version) FROM tenant_migrations WHERE tenant_id = $1`, t.ID)
}

func (b bundle) hasColumn(t provisioning.Tenant, table, column string) bool {
	b.t.Helper()
	return value[bool](b, `SELECT EXISTS (SELECT FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 AND column_name = $3)`,
		t.SchemaName, table, column)
}

func TestDB_MigrateTenants(t *testing.T) {
	t.Parallel()

	t.Run("BringsAllToTheNewestVersion", func(t *testing.T) {
		b := setup(t)
		all := b.tenants(5)
		dir := files(t, addPhone, addNotes)
		var seen []postgres.FleetProgress
		report := b.fleet(dir, postgres.FleetOptions{Canary: 2, Progress: func(p postgres.FleetProgress) { seen = append(seen, p) }})
		if report.Version != 3 || report.Pending != 5 || report.Migrated != 5 || len(report.Failed) != 0 {
			t.Errorf("%+v", report)
		}
		for i, tenant := range all {
			if got := b.versions(tenant); !slices.Equal(got, []int{1, 2, 3}) || !b.hasColumn(tenant, "users", "phone") || !b.hasColumn(tenant, "notes", "body") {
				t.Errorf("tenant %d is at %v", i, got)
			}
			if !value[bool](b, `SELECT has_table_privilege($1, $2, 'SELECT')`, tenant.DatabaseRole, pgx.Identifier{tenant.SchemaName, "notes"}.Sanitize()) {
				t.Errorf("tenant %d was not granted the new table", i)
			}
			events, err := b.AuditEvents(t.Context(), tenant.ID, 0, 100)
			if last := events[len(events)-1]; err != nil || last.Action != postgres.AuditMigrate || fmt.Sprint(last.Detail) != "map[from:1 to:3]" {
				t.Errorf("audit: %+v, %v", last, err)
			}
		}
		for i, p := range seen {
			if p.Canary != (i < 2) || p.Done != i+1 || p.Total != 5 || p.Err != nil || i < 2 && p.Tenant != all[i].ID {
				t.Errorf("progress %d: %+v", i, p)
			}
		}
		if again := b.fleet(dir, postgres.FleetOptions{}); len(seen) != 5 || again.Pending != 0 || again.Migrated != 0 {
			t.Errorf("and again: %+v", again)
		}
	})
	t.Run("ACanaryStopsTheFleet", func(t *testing.T) {
		b := setup(t)
		all := b.tenants(4)
		b.exec(`ALTER TABLE ` + pgx.Identifier{all[1].SchemaName, "users"}.Sanitize() + ` ADD COLUMN phone text`)
		report, err := postgres.MigrateTenantsFrom(t.Context(), b.DB, files(t, addPhone), postgres.FleetOptions{Canary: 2})
		wantKind(t, err, provisioning.KindPermanent)
		if text := provisioning.SafeMessage(err); !strings.Contains(text, all[1].ID.String()) || !strings.Contains(text, "00002_later.sql") {
			t.Errorf("%s", text)
		}
		if report.Migrated != 1 || len(report.Failed) != 1 || report.Failed[0].Tenant != all[1].ID {
			t.Errorf("%+v", report)
		}
		if b.hasColumn(all[2], "users", "phone") || b.hasColumn(all[3], "users", "phone") {
			t.Error("others were touched")
		}
	})
	t.Run("AFailureHoldsUpNobodyElse", func(t *testing.T) {
		b := setup(t)
		all := b.tenants(5)
		b.exec(`ALTER TABLE ` + pgx.Identifier{all[2].SchemaName, "users"}.Sanitize() + ` ADD COLUMN phone text`)
		dir := files(t, addNotes, addPhone)
		report, err := postgres.MigrateTenantsFrom(t.Context(), b.DB, dir, postgres.FleetOptions{})
		wantKind(t, err, provisioning.KindPermanent)
		if text := provisioning.SafeMessage(err); !strings.Contains(text, "1 of 5") || !strings.Contains(text, all[2].ID.String()) || !strings.Contains(text, "00003_later.sql") {
			t.Errorf("%s", text)
		}
		if report.Migrated != 4 || len(report.Failed) != 1 || report.Failed[0].Tenant != all[2].ID {
			t.Errorf("%+v", report)
		}
		// It is as it was before, and not half way.
		if got := b.versions(all[2]); !slices.Equal(got, []int{1}) || b.hasColumn(all[2], "notes", "body") {
			t.Errorf("the failed one is at %v", got)
		}
		b.exec(`ALTER TABLE ` + pgx.Identifier{all[2].SchemaName, "users"}.Sanitize() + ` DROP COLUMN phone`)
		if again := b.fleet(dir, postgres.FleetOptions{}); again.Pending != 1 || again.Migrated != 1 {
			t.Errorf("%+v", again)
		}
	})
	t.Run("OnlyThoseThatHaveASchema", func(t *testing.T) {
		b := setup(t)
		archived, purged := b.live(inputs("Archived")), b.live(inputs("Purged"))
		running := b.begin(inputs("Running"))
		if err := b.PrepareSchema(t.Context(), running, b.seed()); err != nil {
			t.Fatal(err)
		}
		undone := b.begin(inputs("Undone"))
		if err := b.BeginUndo(t.Context(), undone, provisioning.UndoFailed, provisioning.StepRecord{Step: provisioning.StepCreateSchema, Status: provisioning.StepFailed}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Undo(t.Context(), undone); err != nil {
			t.Fatal(err)
		}
		for _, gone := range []provisioning.Tenant{archived, purged} {
			if _, err := b.Archive(t.Context(), gone.ID); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Purge(t.Context(), purged.ID, 0); err != nil {
			t.Fatal(err)
		}
		if report := b.fleet(files(t, addPhone), postgres.FleetOptions{}); report.Pending != 1 || report.Migrated != 1 || !b.hasColumn(archived, "users", "phone") {
			t.Errorf("%+v", report)
		}
		for _, id := range []uuid.UUID{purged.ID, running.Tenant.ID, undone.Tenant.ID} {
			_, err := postgres.MigrateTenantsFrom(t.Context(), b.DB, files(t, addPhone), postgres.FleetOptions{Tenant: &id})
			wantKind(t, err, provisioning.KindConflict)
		}
		unknown := uuid.New()
		_, err := postgres.MigrateTenantsFrom(t.Context(), b.DB, files(t, addPhone), postgres.FleetOptions{Tenant: &unknown})
		wantKind(t, err, provisioning.KindNotFound)
		// The one that was being made is taken along when it is live.
		if _, err := b.Advance(t.Context(), running, final()); err != nil {
			t.Fatal(err)
		}
		if report := b.fleet(files(t, addPhone), postgres.FleetOptions{Tenant: &running.Tenant.ID}); report.Migrated != 1 {
			t.Errorf("%+v", report)
		}
	})
	t.Run("OnlyOneWhenToldSo", func(t *testing.T) {
		b := setup(t)
		all := b.tenants(2)
		if report := b.fleet(files(t, addPhone), postgres.FleetOptions{Tenant: &all[1].ID}); report.Pending != 1 || b.hasColumn(all[0], "users", "phone") || !b.hasColumn(all[1], "users", "phone") {
			t.Errorf("%+v", report)
		}
	})
	t.Run("LooksWithoutTouching", func(t *testing.T) {
		b := setup(t)
		all := b.tenants(2)
		if report := b.fleet(files(t, addPhone), postgres.FleetOptions{DryRun: true}); report.Pending != 2 || report.Migrated != 0 || b.hasColumn(all[0], "users", "phone") {
			t.Errorf("%+v", report)
		}
	})
	t.Run("RefusesAChangedFile", func(t *testing.T) {
		b := setup(t)
		all := b.tenants(2)
		b.fleet(files(t, addPhone), postgres.FleetOptions{Tenant: &all[0].ID})
		_, err := postgres.MigrateTenantsFrom(t.Context(), b.DB, files(t, strings.Replace(addPhone, "40", "50", 1)), postgres.FleetOptions{})
		wantKind(t, err, provisioning.KindPermanent)
		if text := provisioning.SafeMessage(err); !strings.Contains(text, "00002_later.sql is not what was applied") {
			t.Errorf("%s", text)
		}
		if b.hasColumn(all[1], "users", "phone") {
			t.Error("it went on all the same")
		}
	})
	t.Run("RefusesANewerTenant", func(t *testing.T) {
		b := setup(t)
		b.fleet(files(t, addPhone), postgres.FleetOptions{})
		b.tenants(1)
		b.fleet(files(t, addPhone), postgres.FleetOptions{})
		_, err := b.MigrateTenants(t.Context(), postgres.FleetOptions{})
		wantKind(t, err, provisioning.KindPermanent)
		if text := provisioning.SafeMessage(err); !strings.Contains(text, "version 2 and this program knows only 1") {
			t.Errorf("%s", text)
		}
	})
	t.Run("RefusesATenantWithoutALedger", func(t *testing.T) {
		b := setup(t)
		b.tenants(1)
		b.exec(`DELETE FROM tenant_migrations`)
		_, err := b.MigrateTenants(t.Context(), postgres.FleetOptions{})
		wantKind(t, err, provisioning.KindPermanent)
	})
	t.Run("WaitsForWhoeverHasTheTenant", func(t *testing.T) {
		b := setup(t)
		all := b.tenants(2)
		busy, err := b.Pool().Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = busy.Rollback(context.Background()) }()
		if _, err := busy.Exec(t.Context(), `SELECT 1 FROM tenants WHERE id = $1 FOR UPDATE`, all[0].ID); err != nil {
			t.Fatal(err)
		}
		if _, err := busy.Exec(t.Context(), `LOCK TABLE `+pgx.Identifier{all[1].SchemaName, "users"}.Sanitize()); err != nil {
			t.Fatal(err)
		}
		done := make(chan postgres.FleetReport)
		go func() {
			done <- b.fleet(files(t, addPhone), postgres.FleetOptions{Canary: -1, Concurrency: 2})
		}()
		// Until the other one waits for the table, which it does for a second at a time.
		deadline := time.Now().Add(time.Minute)
		for value[int](b, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE%'`) == 0 {
			if time.Now().After(deadline) {
				t.Fatal("nobody waits")
			}
		}
		if err := busy.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if report := <-done; report.Migrated != 2 {
			t.Errorf("%+v", report)
		}
	})
	t.Run("ManyAtOnceDoItOnce", func(t *testing.T) {
		b := setup(t)
		all := b.tenants(8)
		dir := files(t, addPhone, addNotes)
		var (
			runs  sync.WaitGroup
			mu    sync.Mutex
			total int
		)
		for range 3 {
			runs.Go(func() {
				report, err := postgres.MigrateTenantsFrom(t.Context(), b.DB, dir, postgres.FleetOptions{})
				mu.Lock()
				defer mu.Unlock()
				total += report.Migrated
				if err != nil {
					t.Error(err)
				}
			})
		}
		runs.Wait()
		if total != len(all) {
			t.Errorf("%d migrations of %d tenants", total, len(all))
		}
	})
	t.Run("GoesOnAfterAnInterruption", func(t *testing.T) {
		b := setup(t)
		all := b.tenants(6)
		ctx, cancel := context.WithCancel(t.Context())
		report, err := postgres.MigrateTenantsFrom(ctx, b.DB, files(t, addPhone), postgres.FleetOptions{
			Concurrency: 1, Progress: func(p postgres.FleetProgress) {
				if p.Done == 3 {
					cancel()
				}
			},
		})
		wantKind(t, err, provisioning.KindCancelled)
		if report.Migrated != 3 || len(report.Failed) != 0 {
			t.Errorf("%+v", report)
		}
		if again := b.fleet(files(t, addPhone), postgres.FleetOptions{}); again.Pending != len(all)-3 || again.Migrated != len(all)-3 {
			t.Errorf("%+v", again)
		}
	})
}

func TestDB_TenantVersions(t *testing.T) {
	b := setup(t)
	all := b.tenants(3)
	b.begin(inputs("Running"))
	status, err := b.TenantVersions(t.Context())
	if err != nil || status.Version != postgres.TenantSchemaVersion || status.Pending != 0 || status.Versions[status.Version] != 3 || len(status.Versions) != 1 {
		t.Errorf("%+v, %v", status, err)
	}
	b.exec(`DELETE FROM tenant_migrations WHERE tenant_id = $1`, all[0].ID)
	b.exec(`INSERT INTO tenant_migrations (tenant_id, version, checksum) VALUES ($1, 99, 'x')`, all[1].ID)
	status, err = b.TenantVersions(t.Context())
	if err != nil || status.Pending != 1 || status.Versions[0] != 1 || status.Versions[99] != 1 {
		t.Errorf("%+v, %v", status, err)
	}
}
