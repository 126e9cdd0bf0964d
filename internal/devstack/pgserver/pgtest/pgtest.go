//go:build unix

// Package pgtest gives tests databases of a real PostgreSQL server: one server
// for each test binary, one database for each test, copied from a template.
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

// Main runs a package's tests with a server. prepare, which may be nil, fills
// the template from which each test's database is copied. Use it in TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, migrate)) }
func Main(m *testing.M, prepare func(ctx context.Context, url string) error) int {
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
	if err = admin(ctx, "CREATE DATABASE "+template); err == nil && prepare != nil {
		err = prepare(ctx, server.URL(template))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest: prepare template:", err)
		return 1
	}
	return m.Run()
}

// Server is the test binary's server.
func Server() *pgserver.Server { return server }

// Database makes a database for the test and gives its URL. It is dropped when
// the test ends, with whoever is still connected.
func Database(t testing.TB) string {
	t.Helper()
	return create(t, template)
}

// Empty is like Database, without what prepare did. Grants on a database are not
// copied with it, so tests about those begin here.
func Empty(t testing.TB) string {
	t.Helper()
	return create(t, "template1")
}

func create(t testing.TB, from string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", counter.Add(1))
	creating.Lock()
	err := admin(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+from)
	creating.Unlock()
	if err != nil {
		t.Fatalf("create test database: %v", err)
	}
	t.Cleanup(func() {
		if err := admin(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop test database: %v", err)
		}
	})
	return server.URL(name)
}

func admin(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, server.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}
