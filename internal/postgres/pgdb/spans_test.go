package pgdb

import (
	"strings"
	"testing"
)

func TestStatementName(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"SELECT id FROM tenants WHERE name = 'Clinic'": "SELECT tenants",
		"SELECT 1": "SELECT",
		"  select x\n\tfrom public.provisioning_logs l":                                "SELECT provisioning_logs",
		"WITH moved AS (\n\tUPDATE tenants SET a = 1 RETURNING *) SELECT * FROM moved": "UPDATE tenants",
		"INSERT  INTO audit_events (a) VALUES ($1)":                                    "INSERT audit_events",
		"DELETE\nFROM idempotency_keys":                                                "DELETE idempotency_keys",
		`SELECT * FROM "Clinic Ada"."users"`:                                           "SELECT",
		`ALTER ROLE "clinic_ada_1" PASSWORD 's3cret'`:                                  "ALTER ROLE",
		`DROP SCHEMA "clinic_ada" CASCADE`:                                             "DROP SCHEMA",
		`GRANT USAGE ON SCHEMA "clinic_ada" TO x`:                                      "GRANT",
		"begin":  "BEGIN",
		"commit": "COMMIT",
		"":       "statement",
		"-- name: JobInsert :one\nINSERT INTO river_job (a) VALUES ($1)": "INSERT river_job",
		"-- s3cret":                             "statement",
		strings.Repeat(" ", 5<<10) + "SELECT 1": "statement",
	} {
		if got := statementName(sql); got != want {
			t.Errorf("%.60q: got %q, want %q", sql, got, want)
		}
	}
}
