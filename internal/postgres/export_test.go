package postgres

import (
	"context"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// MaxTenantsPerConnection is the number of new tenants after which a connection is replaced.
const MaxTenantsPerConnection = maxTenantsPerConnection

// BaselineScript returns the DDL of a new tenant's schema as one script. The names must
// be valid without quotes.
func BaselineScript(schema, role string) string {
	var statements []string
	for _, part := range []string{"schema", "tables", "constraints"} {
		statements = append(statements, baseline.parts[part]...)
	}
	return strings.NewReplacer("{{schema}}", schema, "{{role}}", role).Replace(strings.Join(statements, ";\n"))
}

// Classify classifies a driver error.
func Classify(err error) error { return classify(err, "test") }

// CountCreatedTenants adds n to the number of tenants that a pool connection has created.
func CountCreatedTenants(t *testing.T, db *DB, n int) {
	t.Helper()
	conn, err := db.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for range n {
		countCreatedTenant(conn.Conn())
	}
}

// AddMigration adds one migration to the registry of an unused DB, as a later
// release does. The name begins with its version.
func AddMigration(t *testing.T, db *DB, name, sql string) {
	t.Helper()
	files := fstest.MapFS{name: {Data: []byte(sql)}}
	names, err := fs.Glob(db.registryFiles, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(db.registryFiles, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	db.registryFiles = files
}

// DisablePolling makes callers that wait for an account of this DB poll only hourly.
func DisablePolling(db *DB) { db.queues.pause = time.Hour }

// Trace sends all statements of an unused DB to a tracer.
func Trace(t *testing.T, db *DB, tracer pgx.QueryTracer) {
	t.Helper()
	config := db.pool.Config()
	config.ConnConfig.Tracer = tracer
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	db.pool.Close()
	db.pool = pool
}

// HashPassword returns the stored hash of a password.
func HashPassword(ctx context.Context, p tenant.Password) (string, error) {
	return hashPassword(ctx, p)
}

var blockHashingMu sync.Mutex

// BlockHashing blocks all hashing in this process until free is called.
func BlockHashing() (unblock func()) {
	blockHashingMu.Lock()
	for range maxConcurrentHashes {
		hashSlots <- struct{}{}
	}
	return func() {
		for range maxConcurrentHashes {
			<-hashSlots
		}
		blockHashingMu.Unlock()
	}
}

// WaitQueues is the number of wait queues of this DB.
func WaitQueues(db *DB) int {
	db.queues.mu.Lock()
	defer db.queues.mu.Unlock()
	return len(db.queues.all)
}

// UncertainRuns is the number of runs of this DB that may hold an unknown lease.
func UncertainRuns(db *DB) int {
	db.Runs.uncertain.mu.Lock()
	defer db.Runs.uncertain.mu.Unlock()
	return len(db.Runs.uncertain.runs)
}

// SetUncertainClock sets the clock that decides when such a run is removed.
func SetUncertainClock(db *DB, now func() time.Time) { db.Runs.uncertain.now = now }
