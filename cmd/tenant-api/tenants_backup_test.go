//go:build unix

package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestTenantsBackup: a tenant whose schema was dropped is restored by the commands.
func TestTenantsBackup(t *testing.T) {
	w := setup(t)
	w.env["PG_DUMP"] = testenv.PgDump(t)
	w.mustRun("tenants", "create", "--name", "Clinic", "--admin-email", "ada@clinic.example", "--admin-first-name", "Ada", "--admin-last-name", "Lovelace")
	dir := filepath.Join(t.TempDir(), "clinic")
	w.run("tenants", "backup", "create", "name:Clinic").want(t, 2, "give one tenant, as an id or name:NAME, and a folder that does not exist yet")
	w.mustRun("tenants", "backup", "create", "name:Clinic", dir).want(t, 0, "Backed up Clinic (", " to "+dir+": ")
	w.run("tenants", "backup", "create", "name:Clinic", dir).want(t, 2, "exists; name a folder that does not exist yet")
	w.run("tenants", "backup", "restore", dir).want(t, 1, "a restore writes over nothing")

	w.registry.DropSchema("Clinic")
	if r := w.run("tenants", "verify", "name:Clinic"); r.code == 0 {
		t.Errorf("verify misses the dropped schema: %s", r.out)
	}
	r := w.run("tenants", "backup", "restore", dir)
	r.want(t, 0, "Restored Clinic (", "its schema; the registry has newer rows, which stay")
	_, verify, _ := strings.Cut(strings.TrimSpace(r.err), "Check it: tenant-api ")
	w.mustRun(strings.Fields(verify)...)

	w.env["PG_DUMP"] = "/nonexistent/pg_dump"
	w.run("tenants", "backup", "create", "name:Clinic", dir+"2").want(t, 2, `PG_DUMP is "/nonexistent/pg_dump", which is no program that can be run`)
}
