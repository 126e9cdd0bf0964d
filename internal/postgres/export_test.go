package postgres

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// TenantsPerConnection is after how many new tenants a connection is replaced.
const TenantsPerConnection = tenantsPerConnection

// Failure classifies an error of the driver.
func Failure(err error) error { return failure(err, "test") }

// MadeTenants counts n tenants for a connection of the pool, as if it had made them.
func MadeTenants(t *testing.T, db *DB, n int) {
	t.Helper()
	conn, err := db.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for range n {
		countTenant(conn.Conn())
	}
}

// Patient has whoever waits for an account of this DB ask again after hours alone.
func Patient(db *DB) { db.doors.pause = time.Hour }

// Trace has all statements of a DB that was not used yet told to a tracer.
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

// Hashed gives what is stored of a password.
func Hashed(ctx context.Context, p provisioning.Password) (string, error) { return hashed(ctx, p) }

var holdsHashes sync.Mutex

// HoldHashes keeps all of this process from hashing until free is called.
func HoldHashes() (free func()) {
	holdsHashes.Lock()
	for range hashesAtOnce {
		hashing <- struct{}{}
	}
	return func() {
		for range hashesAtOnce {
			<-hashing
		}
		holdsHashes.Unlock()
	}
}
