package tenantschema_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

const (
	addPhone = `ALTER TABLE users ADD COLUMN phone varchar(40);`
	addNotes = `-- Two statements, and a body with semicolons.
CREATE TABLE notes (id bigint PRIMARY KEY, body text);
CREATE FUNCTION touch() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1;
    PERFORM 2;
END $$;`
)

// activeTenants creates live tenants.
func (b fixture) activeTenants(n int) []tenant.Tenant {
	b.T.Helper()
	var created []tenant.Tenant
	for i := range n {
		created = append(created, b.ActiveTenant(postgrestest.Inputs(fmt.Sprintf("Clinic %d", i))))
	}
	return created
}

func (b fixture) migrateTenants(standard *blueprint.Blueprint, o tenantschema.MigrationOptions) tenantschema.MigrationReport {
	b.T.Helper()
	o.Standard = standard
	report, err := b.MigrateTenants(b.T.Context(), o)
	if err != nil {
		b.T.Fatalf("%+v, %v", report, err)
	}
	return report
}

func (b fixture) appliedVersions(t tenant.Tenant) []int {
	b.T.Helper()
	return value[[]int](b, `SELECT array_agg(version ORDER BY version) FROM tenant_migrations WHERE tenant_id = $1`, t.ID)
}

func (b fixture) hasColumn(t tenant.Tenant, table, column string) bool {
	b.T.Helper()
	return value[bool](b, `SELECT EXISTS (SELECT FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 AND column_name = $3)`,
		t.SchemaName, table, column)
}

func TestDB_MigrateTenants(t *testing.T) {
	t.Parallel()

	t.Run("MigratesAllToNewestVersion", func(t *testing.T) {
		b := setup(t)
		all := b.activeTenants(5)
		dir := postgrestest.LaterMigrations(t, addPhone, addNotes)
		var progress []tenantschema.MigrationProgress
		report := b.migrateTenants(dir, tenantschema.MigrationOptions{Canary: 2, Progress: func(p tenantschema.MigrationProgress) { progress = append(progress, p) }})
		if report.Targets[0].Version != 3 || report.Pending != 5 || report.Migrated != 5 || len(report.Failed) != 0 {
			t.Errorf("%+v", report)
		}
		for i, migrated := range all {
			if got := b.appliedVersions(migrated); !slices.Equal(got, []int{1, 2, 3}) || !b.hasColumn(migrated, "users", "phone") || !b.hasColumn(migrated, "notes", "body") {
				t.Errorf("tenant %d is at %v", i, got)
			}
			if owner := value[string](b, `SELECT tableowner FROM pg_tables WHERE schemaname = $1 AND tablename = 'notes'`, migrated.SchemaName); !strings.HasPrefix(owner, "healthcare_schemas_") {
				t.Errorf("tenant %d: the new table belongs to %s", i, owner)
			}
			events, err := b.Events(t.Context(), migrated.ID, 0, 100)
			if last := events[len(events)-1]; err != nil || last.Action != tenantschema.AuditMigrate || fmt.Sprint(last.Detail) != "map[from:1 to:3]" {
				t.Errorf("audit: %+v, %v", last, err)
			}
		}
		for i, p := range progress {
			if p.Canary != (i < 2) || p.Done != i+1 || p.Total != 5 || p.Err != nil || i < 2 && p.TenantID != all[i].ID {
				t.Errorf("progress %d: %+v", i, p)
			}
		}
		if again := b.migrateTenants(dir, tenantschema.MigrationOptions{}); len(progress) != 5 || again.Pending != 0 || again.Migrated != 0 {
			t.Errorf("and again: %+v", again)
		}
	})
	t.Run("StopsAfterFailedCanary", func(t *testing.T) {
		b := setup(t)
		all := b.activeTenants(4)
		b.Exec(`ALTER TABLE ` + pgx.Identifier{all[1].SchemaName, "users"}.Sanitize() + ` ADD COLUMN phone text`)
		report, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{Standard: postgrestest.LaterMigrations(t, addPhone), Canary: 2})
		postgrestest.WantKind(t, err, errs.KindPermanent)
		if text := errs.SafeMessage(err); !strings.Contains(text, all[1].ID.String()) || !strings.Contains(text, "0002_later.sql") {
			t.Errorf("%s", text)
		}
		if report.Migrated != 1 || len(report.Failed) != 1 || report.Failed[0].TenantID != all[1].ID {
			t.Errorf("%+v", report)
		}
		if b.hasColumn(all[2], "users", "phone") || b.hasColumn(all[3], "users", "phone") {
			t.Error("other tenants were changed")
		}
	})
	t.Run("ContinuesAfterFailedTenant", func(t *testing.T) {
		b := setup(t)
		all := b.activeTenants(5)
		b.Exec(`ALTER TABLE ` + pgx.Identifier{all[2].SchemaName, "users"}.Sanitize() + ` ADD COLUMN phone text`)
		dir := postgrestest.LaterMigrations(t, addNotes, addPhone)
		report, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{Standard: dir})
		postgrestest.WantKind(t, err, errs.KindPermanent)
		if text := errs.SafeMessage(err); !strings.Contains(text, "1 of 5") || !strings.Contains(text, all[2].ID.String()) || !strings.Contains(text, "0003_later.sql") {
			t.Errorf("%s", text)
		}
		if report.Migrated != 4 || len(report.Failed) != 1 || report.Failed[0].TenantID != all[2].ID {
			t.Errorf("%+v", report)
		}
		// The tenant is unchanged, not partly migrated.
		if got := b.appliedVersions(all[2]); !slices.Equal(got, []int{1}) || b.hasColumn(all[2], "notes", "body") {
			t.Errorf("the failed tenant is at %v", got)
		}
		b.Exec(`ALTER TABLE ` + pgx.Identifier{all[2].SchemaName, "users"}.Sanitize() + ` DROP COLUMN phone`)
		if again := b.migrateTenants(dir, tenantschema.MigrationOptions{}); again.Pending != 1 || again.Migrated != 1 {
			t.Errorf("%+v", again)
		}
	})
	t.Run("SkipsTenantsWithoutSchema", func(t *testing.T) {
		b := setup(t)
		archived, purged := b.ActiveTenant(postgrestest.Inputs("Archived")), b.ActiveTenant(postgrestest.Inputs("Purged"))
		running := b.ClaimNew(postgrestest.Inputs("Running"))
		if err := b.PrepareSchema(t.Context(), running, b.Seed()); err != nil {
			t.Fatal(err)
		}
		rolledBack := b.ClaimNew(postgrestest.Inputs("Undone"))
		if err := b.BeginRollback(t.Context(), rolledBack, provisioning.RollbackToFailed, tenant.StepRecord{Step: tenant.StepCreateSchema, Status: tenant.StepFailed}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.RollBack(t.Context(), rolledBack); err != nil {
			t.Fatal(err)
		}
		for _, archivedTenant := range []tenant.Tenant{archived, purged} {
			if _, err := b.Archive(t.Context(), archivedTenant.ID); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Purge(t.Context(), purged.ID, 0); err != nil {
			t.Fatal(err)
		}
		if report := b.migrateTenants(postgrestest.LaterMigrations(t, addPhone), tenantschema.MigrationOptions{}); report.Pending != 1 || report.Migrated != 1 || !b.hasColumn(archived, "users", "phone") {
			t.Errorf("%+v", report)
		}
		for _, id := range []uuid.UUID{purged.ID, running.Tenant.ID, rolledBack.Tenant.ID} {
			_, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{Standard: postgrestest.LaterMigrations(t, addPhone), TenantID: &id})
			postgrestest.WantKind(t, err, errs.KindConflict)
		}
		unknown := uuid.New()
		_, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{Standard: postgrestest.LaterMigrations(t, addPhone), TenantID: &unknown})
		postgrestest.WantKind(t, err, errs.KindNotFound)
		// A tenant that was being provisioned is migrated once it is live.
		if _, err := b.Advance(t.Context(), running, postgrestest.Activation()); err != nil {
			t.Fatal(err)
		}
		if report := b.migrateTenants(postgrestest.LaterMigrations(t, addPhone), tenantschema.MigrationOptions{TenantID: &running.Tenant.ID}); report.Migrated != 1 {
			t.Errorf("%+v", report)
		}
	})
	t.Run("MigratesNamedTenant", func(t *testing.T) {
		b := setup(t)
		all := b.activeTenants(2)
		if report := b.migrateTenants(postgrestest.LaterMigrations(t, addPhone), tenantschema.MigrationOptions{TenantID: &all[1].ID}); report.Pending != 1 || b.hasColumn(all[0], "users", "phone") || !b.hasColumn(all[1], "users", "phone") {
			t.Errorf("%+v", report)
		}
	})
	t.Run("DryRunChangesNothing", func(t *testing.T) {
		b := setup(t)
		all := b.activeTenants(2)
		if report := b.migrateTenants(postgrestest.LaterMigrations(t, addPhone), tenantschema.MigrationOptions{DryRun: true}); report.Pending != 2 || report.Migrated != 0 || b.hasColumn(all[0], "users", "phone") {
			t.Errorf("%+v", report)
		}
	})
	t.Run("RejectsChangedFile", func(t *testing.T) {
		b := setup(t)
		all := b.activeTenants(2)
		b.migrateTenants(postgrestest.LaterMigrations(t, addPhone), tenantschema.MigrationOptions{TenantID: &all[0].ID})
		_, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{Standard: postgrestest.LaterMigrations(t, strings.Replace(addPhone, "40", "50", 1))})
		postgrestest.WantKind(t, err, errs.KindPermanent)
		if text := errs.SafeMessage(err); !strings.Contains(text, "0002_later.sql of the blueprint standard differs from what was applied") {
			t.Errorf("%s", text)
		}
		if b.hasColumn(all[1], "users", "phone") {
			t.Error("the migration continued")
		}
	})
	t.Run("RejectsNewerTenant", func(t *testing.T) {
		b := setup(t)
		b.migrateTenants(postgrestest.LaterMigrations(t, addPhone), tenantschema.MigrationOptions{})
		b.activeTenants(1)
		b.migrateTenants(postgrestest.LaterMigrations(t, addPhone), tenantschema.MigrationOptions{})
		_, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{})
		postgrestest.WantKind(t, err, errs.KindPermanent)
		if text := errs.SafeMessage(err); !strings.Contains(text, "version 2 of the blueprint standard and this program knows only 1") {
			t.Errorf("%s", text)
		}
	})
	t.Run("RejectsTenantWithoutMigrationTable", func(t *testing.T) {
		b := setup(t)
		b.activeTenants(1)
		b.Exec(`DELETE FROM tenant_migrations`)
		_, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{})
		postgrestest.WantKind(t, err, errs.KindPermanent)
	})
	t.Run("WaitsForLockedTenant", func(t *testing.T) {
		b := setup(t)
		all := b.activeTenants(2)
		lockTx, err := b.Pool().Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = lockTx.Rollback(context.Background()) }()
		if _, err := lockTx.Exec(t.Context(), `SELECT 1 FROM tenants WHERE id = $1 FOR UPDATE`, all[0].ID); err != nil {
			t.Fatal(err)
		}
		if _, err := lockTx.Exec(t.Context(), `LOCK TABLE `+pgx.Identifier{all[1].SchemaName, "users"}.Sanitize()); err != nil {
			t.Fatal(err)
		}
		done := make(chan tenantschema.MigrationReport)
		go func() {
			done <- b.migrateTenants(postgrestest.LaterMigrations(t, addPhone), tenantschema.MigrationOptions{Canary: -1, Concurrency: 2})
		}()
		// Until the other transaction waits for the table lock; each wait lasts one second.
		deadline := time.Now().Add(time.Minute)
		for value[int](b, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE%'`) == 0 {
			if time.Now().After(deadline) {
				t.Fatal("nobody waits")
			}
		}
		if err := lockTx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if report := <-done; report.Migrated != 2 {
			t.Errorf("%+v", report)
		}
	})
	t.Run("ConcurrentRunsMigrateOnce", func(t *testing.T) {
		b := setup(t)
		all := b.activeTenants(8)
		dir := postgrestest.LaterMigrations(t, addPhone, addNotes)
		var (
			wg    sync.WaitGroup
			mu    sync.Mutex
			total int
		)
		for range 3 {
			wg.Go(func() {
				report, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{Standard: dir})
				mu.Lock()
				defer mu.Unlock()
				total += report.Migrated
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if total != len(all) {
			t.Errorf("%d migrations of %d tenants", total, len(all))
		}
	})
	t.Run("ResumesAfterInterruption", func(t *testing.T) {
		b := setup(t)
		all := b.activeTenants(6)
		ctx, cancel := context.WithCancel(t.Context())
		report, err := b.MigrateTenants(ctx, tenantschema.MigrationOptions{Standard: postgrestest.LaterMigrations(t, addPhone),
			Concurrency: 1, Progress: func(p tenantschema.MigrationProgress) {
				if p.Done == 3 {
					cancel()
				}
			},
		})
		postgrestest.WantKind(t, err, errs.KindCancelled)
		if report.Migrated != 3 || len(report.Failed) != 0 {
			t.Errorf("%+v", report)
		}
		if again := b.migrateTenants(postgrestest.LaterMigrations(t, addPhone), tenantschema.MigrationOptions{}); again.Pending != len(all)-3 || again.Migrated != len(all)-3 {
			t.Errorf("%+v", again)
		}
	})
}

func TestDB_TenantVersions(t *testing.T) {
	b := setup(t)
	all := b.activeTenants(3)
	b.ClaimNew(postgrestest.Inputs("Running"))
	status, err := b.TenantVersions(t.Context())
	if err != nil || status.Version != tenantschema.Version || status.Pending != 0 || status.Versions[status.Version] != 3 || len(status.Versions) != 1 {
		t.Errorf("%+v, %v", status, err)
	}
	b.Exec(`DELETE FROM tenant_migrations WHERE tenant_id = $1`, all[0].ID)
	b.Exec(`INSERT INTO tenant_migrations (tenant_id, blueprint, version, checksum) VALUES ($1, 'standard', 99, 'x')`, all[1].ID)
	status, err = b.TenantVersions(t.Context())
	if err != nil || status.Pending != 1 || status.Versions[0] != 1 || status.Versions[99] != 1 {
		t.Errorf("%+v, %v", status, err)
	}
}
