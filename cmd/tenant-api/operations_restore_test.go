//go:build unix

package main_test

import (
	"path/filepath"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestOperationsGuide_PointInTime restores a server from a base backup and the archived log, to the
// time between two tenants, and goes on.
func TestOperationsGuide_PointInTime(t *testing.T) {
	t.Parallel()
	server := testenv.StartArchivingServer(t)
	if err := server.CreateDatabase(t.Context(), "platform"); err != nil {
		t.Fatal(err)
	}
	w := newTestEnv(t, server.OwnerURL("platform"))
	w.env["DBA_URL"] = server.URL("postgres")
	g := w.guideShell("operations")
	g.path += ":" + server.Binaries() + ":" + filepath.Dir(testenv.PgDump(t))
	create := []string{"tenants", "create", "--admin-email", "ada@clinic.example", "--admin-first-name", "Ada", "--admin-last-name", "Lovelace", "--name"}
	w.mustRun(append(create, "Before the backup")...)
	g.mustShell(g.script("base-backup.sh")).want(t, 0, "backup successfully verified")
	w.mustRun(append(create, "After the backup")...)
	w.mustRun("contracts", "anchor", "--all")
	at := server.Now()
	w.mustRun(append(create, "Lost")...)
	w.mustRun("tenants", "suspend", "name:After the backup")
	w.mustRun("contracts", "anchor", "--all")

	g.mustShell(g.script("point-in-time.sh", "/archive", server.Archive(), "2026-11-27 08:00:00+00", at))
	restored := server.Recover(filepath.Join(g.dir, "base"))
	w.env["DATABASE_URL"] = restored.OwnerURL("platform")
	w.registry = registrytest.Open(t, restored.OwnerURL("platform"))
	if w.registry.Count("ACTIVE") != 2 {
		t.Errorf("tenants after the restore: %+v", w.registry.All())
	}
	g.mustShell(g.script("accept.sh")).want(t, 0, "0 findings", "is at timeline 2")
	w.mustRun(append(create, "New")...)
	w.run("contracts", "unknown").want(t, 3, "1 ")
}
