//go:build unix

// Package pgtest provides tests with databases of a real PostgreSQL server: one server
// per test binary, one database per test, copied from a template.
package pgtest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
)

var (
	server   *pgserver.Server
	counter  atomic.Int64
	creating sync.Mutex // A template can be copied by one session at a time.
)

const template = "test_template"

// Main runs a package's tests with a server. prepare, which may be nil, sets up the
// template from which each test's database is copied. Use it in TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, migrate)) }
func Main(m *testing.M, migrate func(ctx context.Context, url string) error) int {
	ctx := context.Background()
	var err error
	if server, err = pgserver.Start(ctx, pgserver.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return 1
	}
	defer func() {
		if err := server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest: stop:", err)
		}
	}()
	if err = execAdmin(ctx, "CREATE DATABASE "+template); err == nil && migrate != nil {
		err = migrate(ctx, server.URL(template))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest: prepare template:", err)
		return 1
	}
	return m.Run()
}

// Server is the test binary's server.
func Server() *pgserver.Server { return server }

// Database creates a database for the test and returns its URL. It is dropped when the
// test ends, even with open connections.
func Database(t testing.TB) string {
	t.Helper()
	return createDatabase(t, template)
}

// EmptyDatabase is like Database, without the changes of prepare. Grants on a database
// are not copied with it, so tests of grants start here.
func EmptyDatabase(t testing.TB) string {
	t.Helper()
	return createDatabase(t, "template1")
}

func createDatabase(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", counter.Add(1))
	creating.Lock()
	err := execAdmin(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+template)
	creating.Unlock()
	if err != nil {
		t.Fatalf("create test database: %v", err)
	}
	t.Cleanup(func() {
		if err := execAdmin(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop test database: %v", err)
		}
	})
	return server.URL(name)
}

func execAdmin(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, server.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}
