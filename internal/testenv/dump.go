//go:build unix

package testenv

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
)

// DumpServers starts two servers of their own for a test, whose installation has pg_dump and
// pg_restore; downloaded binaries are the server alone. Without such an installation the test
// is skipped; in CI it fails.
func DumpServers(t testing.TB) (from, to *pgserver.Server) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	binaries, err := pgserver.Find(ctx, 0)
	if err == nil {
		_, err = os.Stat(filepath.Join(binaries, "pg_restore"))
	}
	if err != nil {
		SkipUnlessCI(t, "no PostgreSQL with pg_dump and pg_restore is installed: apt-get install postgresql")
	}
	servers := [2]*pgserver.Server{}
	for i := range servers {
		servers[i], err = pgserver.Start(ctx, pgserver.Options{Binaries: binaries, InMemory: true})
		must(t, err)
		t.Cleanup(func() { _ = servers[i].Stop() })
	}
	return servers[0], servers[1]
}

// Restore restores a dump of one database into another one, which is empty, with options of
// pg_restore. It goes on after errors, such as those of roles that do not exist, as
// pg_restore does, and returns them.
func Restore(t testing.TB, server *pgserver.Server, from, to string, options ...string) (errors string) {
	t.Helper()
	dump := filepath.Join(t.TempDir(), "dump")
	if out, err := exec.CommandContext(t.Context(), filepath.Join(server.Binaries(), "pg_dump"), "--format=custom", "--file="+dump, from).CombinedOutput(); err != nil {
		t.Fatalf("pg_dump: %v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(server.Binaries(), "pg_restore"), append(options, "--dbname="+to, dump)...).CombinedOutput()
	if err == nil {
		return ""
	}
	return string(out)
}

// PgDump is the path of pg_dump, of the installation that DumpServers uses.
func PgDump(t testing.TB) string {
	t.Helper()
	binaries, err := pgserver.Find(context.WithoutCancel(t.Context()), 0)
	program := filepath.Join(binaries, "pg_dump")
	if err == nil {
		_, err = os.Stat(program)
	}
	if err != nil {
		SkipUnlessCI(t, "no PostgreSQL with pg_dump is installed: apt-get install postgresql")
	}
	return program
}
