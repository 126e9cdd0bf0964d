package postgres_test

import (
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// laterMigration is what a later release could add to the registry.
const laterMigration = `-- +goose Up
ALTER TABLE tenants ADD COLUMN region text NOT NULL DEFAULT 'eu';`

// later opens the registry of b as a later release with one more migration.
func (b fixture) later(sql string, o pgdb.Options) *postgres.DB {
	b.T.Helper()
	first, err := fs.ReadFile(pgdb.Migrations(), "00001_registry.sql")
	b.Must(err)
	o.URL = b.Pool().Config().ConnString()
	o.Migrations = fstest.MapFS{"00001_registry.sql": {Data: first}, "00002_later.sql": {Data: []byte(sql)}}
	db, err := postgres.Open(b.T.Context(), o)
	b.Must(err)
	b.T.Cleanup(db.Close)
	return db
}

func (b fixture) wantVersions(db *postgres.DB, current, newest int64) {
	b.T.Helper()
	gotCurrent, gotNewest, err := db.Versions(b.T.Context())
	if err != nil || gotCurrent != current || gotNewest != newest {
		b.T.Errorf("versions %d and %d, want %d and %d: %v", gotCurrent, gotNewest, current, newest, err)
	}
}

func TestDB_Migrate_OlderRegistry(t *testing.T) {
	t.Parallel()

	t.Run("KeepsTenants", func(t *testing.T) {
		b := setup(t)
		subject := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		b.wantVersions(b.DB, 1, 1)
		db := b.later(laterMigration, pgdb.Options{})
		b.wantVersions(db, 1, 2)
		got, err := db.Get(t.Context(), subject.ID) // The first use migrates.
		if err != nil || got.Name != subject.Name || got.Status != tenant.StatusActive {
			t.Errorf("%+v, %v", got, err)
		}
		b.wantVersions(db, 2, 2)
		if region := value[string](b, `SELECT region FROM tenants`); region != "eu" {
			t.Errorf("region %q", region)
		}
	})

	t.Run("ConcurrentUsersMigrateOnce", func(t *testing.T) {
		b := setup(t)
		var all sync.WaitGroup
		for range 4 {
			db := b.later(laterMigration, pgdb.Options{})
			all.Go(func() {
				if err := db.Migrate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := value[int](b, `SELECT count(*) FROM healthcare_migrations WHERE version_id = 2`); n != 1 {
			t.Errorf("version 2 is recorded %d times", n)
		}
	})

	t.Run("FailedMigrationChangesNothing", func(t *testing.T) {
		b := setup(t)
		db := b.later(laterMigration+"\nSELECT 1 / 0;", pgdb.Options{})
		if err := db.Migrate(t.Context()); err == nil {
			t.Fatal("the migration failed without an error")
		}
		b.wantVersions(db, 1, 2)
		if n := value[int](b, `SELECT count(*) FROM information_schema.columns WHERE table_name = 'tenants' AND column_name = 'region'`); n != 0 {
			t.Error("the column of the failed migration exists")
		}
	})

	t.Run("EarlierReleaseRejectsResult", func(t *testing.T) {
		b := setup(t)
		b.Must(b.later(laterMigration, pgdb.Options{}).Migrate(t.Context()))
		_, err := b.Get(t.Context(), uuid.New())
		postgrestest.WantKind(t, err, errs.KindPermanent)
		if text := errs.SafeMessage(err); !strings.Contains(text, "the registry is at version 2 and this program knows only 1") {
			t.Error(text)
		}
	})

	t.Run("RejectsPendingMigrationWhenManual", func(t *testing.T) {
		b := setup(t)
		db := b.later(laterMigration, pgdb.Options{ManualMigrate: true})
		_, err := db.Get(t.Context(), uuid.New())
		postgrestest.WantKind(t, err, errs.KindPermanent)
		if text := errs.SafeMessage(err); !strings.Contains(text, "the registry is at version 1 and this program needs 2") ||
			!strings.Contains(text, "auto_migrate") {
			t.Error(text)
		}
		b.wantVersions(db, 1, 2)
	})
}

func TestDB_CheckReady(t *testing.T) {
	t.Parallel()

	t.Run("OlderRegistry", func(t *testing.T) {
		b := setup(t)
		manual := b.later(laterMigration, pgdb.Options{ManualMigrate: true})
		err := manual.CheckReady(t.Context())
		postgrestest.WantKind(t, err, errs.KindPermanent)
		if text := errs.SafeMessage(err); !strings.Contains(text, "the registry is at version 1 and this program needs 2") {
			t.Error(text)
		}
		automatic := b.later(laterMigration, pgdb.Options{})
		if err := automatic.CheckReady(t.Context()); err != nil {
			t.Error(err)
		}
		b.wantVersions(automatic, 1, 2)
	})

	t.Run("NewerRegistry", func(t *testing.T) {
		b := setup(t)
		b.Must(b.later(laterMigration, pgdb.Options{}).Migrate(t.Context()))
		err := b.CheckReady(t.Context())
		postgrestest.WantKind(t, err, errs.KindPermanent)
		if text := errs.SafeMessage(err); !strings.Contains(text, "version 2 and this program knows only 1") {
			t.Error(text)
		}
	})

	t.Run("EmptyDatabase", func(t *testing.T) {
		t.Parallel()
		db, err := postgres.Open(t.Context(), pgdb.Options{URL: testenv.EmptyDatabase(t), ManualMigrate: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		if err := db.CheckReady(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestDB_Migrate_NamesTaken: tables of another program that have the registry's names stay, and the
// error names them.
func TestDB_Migrate_NamesTaken(t *testing.T) {
	t.Parallel()
	url := testenv.EmptyDatabase(t)
	conn := testenv.Connect(t, url)
	for _, statement := range []string{`CREATE TABLE tenants (id int)`, `CREATE SCHEMA other`, `CREATE TABLE other.provisioning_logs (id int)`} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	db, err := postgres.Open(t.Context(), pgdb.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	err = db.Migrate(t.Context())
	if errs.KindOf(err) != errs.KindPermanent || !strings.Contains(errs.SafeMessage(err), "the database has public.tenants of another program") {
		t.Fatalf("%v", err)
	}
	if _, err := conn.Exec(t.Context(), `ALTER TABLE tenants SET SCHEMA other`); err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
}
