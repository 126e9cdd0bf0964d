package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// takeAdvisoryLocks takes the advisory locks that earlier versions used: of migrations of the
// registry (goose's number) and of the queue, and of each tenant's audit chain.
func (b fixture) takeAdvisoryLocks(hostile *pgx.Conn, victim tenant.Tenant) {
	b.T.Helper()
	log := value[int64](b, `SELECT $1::regclass::oid::bigint`, pgx.Identifier{victim.SchemaName, "audit_logs"}.Sanitize())
	b.execAs(hostile, `SELECT pg_advisory_lock(4097083626), pg_advisory_lock(1212240977), pg_advisory_lock(1212240976, $1::bigint::int)`, log)
	b.execAs(hostile, `SELECT pg_advisory_lock(n) FROM generate_series(1, 100) n`)
}

func wantDenied(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := conn.Exec(t.Context(), statement)
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Code != "42501" {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func TestAdvisoryLocks_HostileLogin(t *testing.T) {
	b := setup(t)
	victim := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	_, login := b.openCredential(victim.ID)
	b.takeAdvisoryLocks(b.hostileLogin(), victim)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := login.Exec(ctx, `INSERT INTO audit_logs (action, entity_type) VALUES ('x', 'y')`); err != nil {
		t.Errorf("another tenant's audit log: %v", err)
	}
	if err := b.later(laterMigration, pgdb.Options{}).Migrate(ctx); err != nil {
		t.Errorf("a migration: %v", err)
	}
	if n := value[int](b, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`); n != 0 {
		t.Errorf("%d processes wait for an advisory lock", n)
	}
}

func TestMigrationLock(t *testing.T) {
	t.Parallel()
	lockOf := func(t *testing.T, b fixture) *pgdb.MigrationLock {
		t.Helper()
		lock, err := pgdb.NewMigrationLock(b.Pool().Config().ConnConfig)
		b.Must(err)
		return lock
	}
	t.Run("IsOutOfReachOfLogins", func(t *testing.T) {
		b := setup(t)
		lock := lockOf(t, b)
		b.Must(lock.Lock(t.Context()))
		defer lock.Unlock(t.Context())
		wantDenied(t, b.hostileLogin(), `SELECT FROM public.healthcare_migration_lock`, `UPDATE public.healthcare_migration_lock SET locked = true`,
			`INSERT INTO public.healthcare_migration_lock (lock_id) VALUES (1)`, `DELETE FROM public.healthcare_migration_lock`,
			`DO $$ BEGIN LOCK TABLE public.healthcare_migration_lock IN ACCESS SHARE MODE; END $$`)
	})
	t.Run("EndsWithTheLeaseOfAKilledProcess", func(t *testing.T) {
		b := setup(t)
		lock := lockOf(t, b)
		b.Must(lock.Lock(t.Context()))
		lease := value[time.Duration](b, `SELECT lease_expires_at - now() FROM healthcare_migration_lock`)
		if lease <= 0 || lease > 15*time.Second {
			t.Errorf("a killed process blocks others for %v", lease)
		}
		lock.Unlock(t.Context())
		b.Exec(`UPDATE healthcare_migration_lock SET locked = true, locked_by = 'killed', lease_expires_at = now() + interval '1 second'`)
		db := b.later(laterMigration, pgdb.Options{})
		b.Must(db.Migrate(t.Context()))
		b.wantVersions(db, 2, 2)
	})
	t.Run("IsKeptByALivingProcess", func(t *testing.T) {
		b := setup(t)
		lock := lockOf(t, b)
		b.Must(lock.Lock(t.Context()))
		db := b.later(laterMigration, pgdb.Options{MaxConnections: 1})
		migrated := make(chan error, 1)
		go func() { migrated <- db.Migrate(t.Context()) }()
		first := value[time.Time](b, `SELECT lease_expires_at FROM healthcare_migration_lock`)
		deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for !value[bool](b, `SELECT lease_expires_at > $1 FROM healthcare_migration_lock`, first) {
			if (clock.System{}).Sleep(deadline, 20*time.Millisecond) != nil {
				t.Fatal("the lease was not renewed")
			}
		}
		select {
		case err := <-migrated:
			t.Errorf("another process did not wait: %v", err)
		default:
		}
		lock.Unlock(t.Context())
		b.Must(<-migrated)
		b.wantVersions(db, 2, 2)
	})
}

func TestTenantAuditChain_HostileLogin(t *testing.T) {
	t.Parallel()
	t.Run("ConcurrentInserts", func(t *testing.T) {
		b := setup(t)
		subject := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		taken := uuid.NewString()
		var wg sync.WaitGroup
		for range 4 {
			_, login := b.openCredential(subject.ID)
			wg.Go(func() {
				for i := range 10 {
					for statement, args := range map[string][]any{
						`INSERT INTO audit_logs (action, entity_type) VALUES ('one', 'x'), ('two', 'x')`: nil,
						`INSERT INTO audit_logs (id, action, entity_type) VALUES ($1, 'again', 'x'), (gen_random_uuid(), 'after', 'x')
						 ON CONFLICT DO NOTHING`: {taken},
						`WITH x AS (INSERT INTO audit_logs (action, entity_type) VALUES ('undone', 'x')) SELECT 1 / ($1::int - $1::int)`: {i},
					} {
						var pgErr *pgconn.PgError
						if _, err := login.Exec(t.Context(), statement, args...); err != nil && (!errors.As(err, &pgErr) || pgErr.Code != "22012") {
							t.Errorf("%s: %v", statement, err)
						}
					}
				}
			})
		}
		wg.Wait()
		table := pgx.Identifier{subject.SchemaName, "audit_logs"}.Sanitize()
		if n := value[int](b, `SELECT count(*) FROM `+table); n != 4*10*3+1 {
			t.Errorf("%d rows", n)
		}
		if n := value[int](b, `SELECT count(*) FROM (SELECT created_at < lag(created_at) OVER (ORDER BY seq) AS earlier FROM `+table+`) r WHERE earlier`); n != 0 {
			t.Errorf("%d rows are older than the one before", n)
		}
		if drift, err := b.Verify(t.Context(), subject.ID); err != nil || len(drift) != 0 {
			t.Errorf("%+v, %v", drift, err)
		}
	})
	t.Run("ForgesNothing", func(t *testing.T) {
		b := setup(t)
		subject := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		_, login := b.openCredential(subject.ID)
		_, _ = login.Exec(t.Context(), `CREATE TEMP TABLE audit_head AS SELECT true AS only_row, 41::bigint AS seq, 'ff' AS hash`) // It may have no right to.
		b.execAs(login, `SET search_path = pg_temp, `+pgx.Identifier{subject.SchemaName}.Sanitize())
		b.execAs(login, `INSERT INTO audit_logs (action, entity_type, created_at, seq, prev_hash, hash) VALUES ('x', 'y', '2001-01-01', 7, 'x', 'forged')`)
		if !value[bool](b, `SELECT created_at > now() - interval '1 hour' AND seq = 1 AND prev_hash IS NULL FROM `+subject.SchemaName+`.audit_logs`) {
			t.Error("a forged value was stored")
		}
		if drift, err := b.Verify(t.Context(), subject.ID); err != nil || len(drift) != 0 {
			t.Errorf("%+v, %v", drift, err)
		}
	})
	t.Run("DoesNotReachTheHead", func(t *testing.T) {
		b := setup(t)
		subject := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		_, login := b.openCredential(subject.ID)
		head := pgx.Identifier{subject.SchemaName, "audit_head"}.Sanitize()
		wantDenied(t, login, `SELECT FROM `+head, `SELECT FROM `+head+` FOR UPDATE`, `UPDATE `+head+` SET seq = 9`, `INSERT INTO `+head+` DEFAULT VALUES`,
			`DELETE FROM `+head, `TRUNCATE `+head, `DO $$ BEGIN LOCK TABLE `+head+` IN ACCESS SHARE MODE; END $$`)
		// Otherwise it would run, as the schema owner, the triggers of a head that the login made.
		for _, role := range []string{"public", subject.DatabaseRole} {
			if value[bool](b, `SELECT has_function_privilege($1, $2::regprocedure, 'EXECUTE')`, role, subject.SchemaName+".audit_chain_"+blueprintsql.Digest(subject.SchemaName)+"()") {
				t.Errorf("%s can use the trigger's function for its own tables", role)
			}
		}
	})
}
