package postgres

import "testing"

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
