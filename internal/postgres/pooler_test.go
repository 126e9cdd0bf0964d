package postgres_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func listTenants(t *testing.T, connection string) error {
	t.Helper()
	db, err := postgres.Open(t.Context(), pgdb.Options{URL: connection})
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.List(t.Context(), tenant.ListQuery{Limit: 1})
	return err
}

// TestDB_PgBouncer_SessionMode: a tenant's life behind a pooler that gives each connection a
// session, with the pooler's own defaults.
func TestDB_PgBouncer_SessionMode(t *testing.T) {
	t.Parallel()
	t.Run("LifeCycle", func(t *testing.T) {
		t.Parallel()
		lifeCycle(t, pgdb.Options{URL: testenv.PgBouncer(t, testenv.EmptyDatabase(t), testenv.SessionMode)})
	})
	t.Run("SettingsAreInForce", func(t *testing.T) { // Also those that the pooler drops.
		t.Parallel()
		b := postgrestest.Open(t, pgdb.Options{URL: testenv.PgBouncer(t, testenv.Database(t), testenv.SessionMode,
			"ignore_startup_parameters = lock_timeout, search_path, plan_cache_mode")})
		for name, want := range map[string]string{"lock_timeout": "2s", "search_path": "public", "plan_cache_mode": "force_generic_plan", "TimeZone": "UTC"} {
			if got := postgrestest.Value[string](b, `SELECT current_setting($1)`, name); got != want {
				t.Errorf("%s is %q", name, got)
			}
		}
		// A connection with settings of its own, as for another database.
		config := b.Pool().Config().ConnConfig
		config.RuntimeParams["search_path"] = "pg_catalog"
		conn, err := pgx.ConnectConfig(t.Context(), config)
		b.Must(err)
		var path string
		b.Must(conn.QueryRow(t.Context(), `SELECT current_setting('search_path')`).Scan(&path))
		b.Must(conn.Close(t.Context()))
		if path != "pg_catalog" {
			t.Errorf("search_path %q", path)
		}
	})
	t.Run("FullPool", func(t *testing.T) { // With one session there is none for a comparison.
		t.Parallel()
		connection := testenv.PgBouncer(t, testenv.Database(t), testenv.SessionMode, "default_pool_size = 1")
		db, err := postgres.Open(t.Context(), pgdb.Options{URL: connection, MaxConnections: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		if _, err := db.List(t.Context(), tenant.ListQuery{Limit: 1}); err != nil {
			t.Error(err)
		}
	})
	t.Run("RefusedParameter", func(t *testing.T) {
		t.Parallel()
		connection := testenv.PgBouncer(t, testenv.Database(t), testenv.SessionMode)
		wantMessage(t, listTenants(t, connection+"&work_mem=64MB"), errs.KindPermanent, "parameter work_mem; remove it", "ignore_startup_parameters")
	})
	t.Run("UnknownUser", func(t *testing.T) {
		t.Parallel()
		connection := testenv.PgBouncer(t, testenv.Database(t), testenv.SessionMode)
		wantMessage(t, listTenants(t, strings.Replace(connection, "://", "://nobody_", 1)), errs.KindPermanent, "refused the login")
	})
}

// TestDB_PgBouncer_Refused: a pooler that shares sessions is recognised, although no setting
// reports it, before anything is set in a session of others.
func TestDB_PgBouncer_Refused(t *testing.T) {
	t.Parallel()
	for mode, message := range map[string]string{testenv.TransactionMode: "a pooler in transaction mode", testenv.StatementMode: "a pooler in transaction mode"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			connection := testenv.PgBouncer(t, testenv.Database(t), mode)
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					wantMessage(t, listTenants(t, connection), errs.KindPermanent, message, "session mode", "DATABASE_DIRECT_URL")
				})
			}
			wg.Wait()
			q, err := queue.Open(t.Context(), queue.Options{URL: connection})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(q.Close)
			wantMessage(t, q.Migrate(t.Context()), errs.KindPermanent, message, "DATABASE_DIRECT_URL")
			conn := testenv.Connect(t, connection+"&default_query_exec_mode=simple_protocol")
			var timeout string
			if err := conn.QueryRow(t.Context(), `SHOW lock_timeout`).Scan(&timeout); err != nil || timeout != "0" {
				t.Errorf("lock_timeout %q, %v", timeout, err)
			}
		})
	}
}
