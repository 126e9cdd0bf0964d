package queue_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestQueue_Migrate(t *testing.T) {
	open := func(t *testing.T, url string) *queue.Queue {
		t.Helper()
		o := (&fixture{url: url}).options()
		o.MaxConnections = queue.MinMaxConnections
		q, err := queue.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(q.Close)
		return q
	}
	connect := func(t *testing.T, url string) *pgx.Conn {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		return conn
	}
	t.Run("ManyAtOnce", func(t *testing.T) {
		t.Parallel()
		url := testenv.EmptyDatabase(t)
		if current, newest, err := open(t, url).Versions(t.Context()); err != nil || current != 0 || newest < 8 {
			t.Errorf("from %d to %d, %v", current, newest, err)
		}
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if err := open(t, url).Migrate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if current, newest, err := open(t, url).Versions(t.Context()); err != nil || current != newest {
			t.Errorf("at %d of %d, %v", current, newest, err)
		}
		var jobs int
		if err := connect(t, url).QueryRow(t.Context(), `SELECT count(*) FROM river_job`).Scan(&jobs); err != nil {
			t.Error(err)
		}
	})
	t.Run("SkipsLockWhenUpToDate", func(t *testing.T) {
		t.Parallel()
		url := testenv.Database(t)
		lock, err := pgdb.NewMigrationLock(connect(t, url).Config())
		if err == nil {
			err = lock.Lock(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Unlock(t.Context())
		if err := open(t, url).Migrate(t.Context()); err != nil {
			t.Error(err)
		}
	})
	// Every login of the database can take any advisory lock.
	t.Run("IgnoresAdvisoryLocks", func(t *testing.T) {
		t.Parallel()
		url := testenv.EmptyDatabase(t)
		if _, err := connect(t, url).Exec(t.Context(), `SELECT pg_advisory_lock(1212240977)`); err != nil {
			t.Fatal(err)
		}
		if err := open(t, url).Migrate(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("RefusesNewerTables", func(t *testing.T) {
		t.Parallel()
		url := testenv.Database(t)
		if _, err := connect(t, url).Exec(t.Context(), `INSERT INTO river_migration (line, version) VALUES ('main', 99)`); err != nil {
			t.Fatal(err)
		}
		err := open(t, url).Migrate(t.Context())
		if errs.KindOf(err) != errs.KindPermanent || !strings.Contains(errs.SafeMessage(err), "version 99") {
			t.Errorf("%v", err)
		}
	})
}
