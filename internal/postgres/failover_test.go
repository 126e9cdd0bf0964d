package postgres_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// promotionLimit is the time after a promotion in which a write succeeds.
const promotionLimit = 15 * time.Second

// waitUntil waits for a condition.
func waitUntil(t *testing.T, what string, limit time.Duration, condition func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		err := condition(ctx)
		if err == nil {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// hosts is the URL of a database on several servers, with the names of the hosts.
func hosts(database string, at ...string) string {
	before, after, _ := strings.Cut(database, "@")
	_, path, _ := strings.Cut(after, "/")
	return before + "@" + strings.Join(at, ",") + "/" + path
}

func at(host string, s *pgserver.Server) string {
	return net.JoinHostPort(host, strconv.Itoa(s.Port()))
}

// TestDB_Failover: a standby is promoted after the primary has crashed.
func TestDB_Failover(t *testing.T) {
	t.Parallel()
	primary, standby := testenv.PrimaryAndStandby(t)
	url := primary.URL("postgres")
	open := func(connection string) *postgres.DB {
		t.Helper()
		db, err := postgres.Open(t.Context(), pgdb.Options{URL: connection})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		return db
	}
	all := open(hosts(url, at("127.0.0.1", standby), at("localhost", primary)))
	service := newService(t, all)
	created, err := service.Provision(t.Context(), postgrestest.Inputs("Clinic"))
	if err != nil {
		t.Fatal(err)
	}
	wantLogin := func(host string, s *pgserver.Server) {
		t.Helper()
		login, err := all.OpenCredential(t.Context(), created.Tenant.ID, credentials.Request{TTL: time.Hour})
		if err != nil || login.Host != host || login.Port != s.Port() {
			t.Errorf("login at %s:%d, %v; want %s:%d", login.Host, login.Port, err, host, s.Port())
		}
	}
	wantLogin("localhost", primary)

	// One address that leads to the standby, as after a failover that a proxy does not know.
	single := open(hosts(url, at("127.0.0.1", standby)))
	waitUntil(t, "replication", time.Minute, func(ctx context.Context) error {
		found, err := single.Get(ctx, created.Tenant.ID)
		if err == nil && found.Status != tenant.StatusActive {
			return pgx.ErrNoRows
		}
		return err
	})
	write := func(ctx context.Context, db *postgres.DB, name string) error {
		in := created.Tenant.Inputs()
		in.AdminFirstName = name
		_, err := db.Update(ctx, created.Tenant.ID, in, 0)
		return err
	}
	backend := func() (pid int) {
		t.Helper()
		if err := single.Pool().QueryRow(t.Context(), `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
			t.Fatal(err)
		}
		return pid
	}
	before := backend()
	wantMessage(t, write(t.Context(), single, "Grace"), errs.KindTransient, "read-only: it is a standby")
	if backend() == before {
		t.Error("the connection to the standby was kept")
	}
	wantMessage(t, single.CheckWritable(t.Context()), errs.KindTransient, "read-only")
	if err := all.CheckWritable(t.Context()); err != nil {
		t.Error(err)
	}

	if err := primary.Crash(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "not ready while only a standby answers", promotionLimit, func(ctx context.Context) error {
		err := all.CheckWritable(ctx)
		if m := errs.SafeMessage(err); strings.Contains(m, "no host of the settings can be written") {
			return nil
		}
		return err
	})
	wantMessage(t, write(t.Context(), all, "Grace"), errs.KindTransient, "no host of the settings can be written", "promote one")
	if _, err := testenv.Connect(t, standby.URL("postgres")).Exec(t.Context(), `SELECT pg_promote()`); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "write", promotionLimit, func(ctx context.Context) error { return write(ctx, all, "Grace") })
	waitUntil(t, "write to one host", promotionLimit, func(ctx context.Context) error { return write(ctx, single, "Jean") })
	if err := all.CheckWritable(t.Context()); err != nil {
		t.Error(err)
	}
	wantLogin("127.0.0.1", standby)
}

// TestDB_VanishedHost: a host that does not answer at all delays a write, and no longer than
// a promotion may. All connections to it are replaced at once.
func TestDB_VanishedHost(t *testing.T) {
	t.Parallel()
	database := testenv.Database(t)
	f := newFailover(t, database)
	unresponsive, _ := unresponsiveServer(t)
	address := func(connection string) string {
		_, after, _ := strings.Cut(connection, "@")
		host, _, _ := strings.Cut(after, "/")
		return host
	}
	b := postgrestest.Open(t, pgdb.Options{URL: hosts(database, address(unresponsive), address(f.url)), AnswerTimeout: 2 * time.Second})
	active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	var all, taken sync.WaitGroup
	taken.Add(pgdb.DefaultMaxConnections)
	for range pgdb.DefaultMaxConnections {
		all.Go(func() {
			conn, err := b.Pool().Acquire(t.Context())
			taken.Done()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Release()
			taken.Wait()
		})
	}
	all.Wait()
	opened := f.opened.Load()
	time.Sleep(idle) // The pool measures real time.
	f.failOver()
	ctx, cancel := context.WithTimeout(t.Context(), promotionLimit)
	defer cancel()
	in := active.Inputs()
	in.AdminFirstName = "Grace"
	if _, err := b.Update(ctx, active.ID, in, 0); err != nil {
		t.Error(err)
	}
	if f.opened.Load() == opened {
		t.Error("no new connection was made")
	}
}
