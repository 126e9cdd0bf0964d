//go:build unix

package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
)

// PrimaryAndStandby starts two servers of their own for a test: the second is a standby of
// the first, with streaming replication.
func PrimaryAndStandby(t testing.TB) (primary, standby *pgserver.Server) {
	t.Helper()
	version, err := wantedVersion()
	must(t, err)
	ctx := context.WithoutCancel(t.Context())
	primary, err = pgserver.Start(ctx, pgserver.Options{Version: version})
	must(t, err)
	t.Cleanup(func() { _ = primary.Stop() })
	dir := copyServer(t, primary)
	must(t, os.WriteFile(filepath.Join(dir, "data", "standby.signal"), nil, 0o644))
	standby, err = pgserver.Start(ctx, pgserver.Options{Dir: dir, Binaries: primary.Binaries(), Settings: []string{fmt.Sprintf(
		"primary_conninfo=host=127.0.0.1 port=%d user=%s password=%s", primary.Port(), pgserver.User, primary.Password())}})
	must(t, err)
	t.Cleanup(func() { _ = standby.Stop() })
	return primary, standby
}

// copyServer copies data and password of a server into a folder of its own, and starts the server again.
// A copy of the stopped server is a backup, without a program that downloaded binaries do not have.
func copyServer(t testing.TB, server *pgserver.Server) (dir string) {
	t.Helper()
	parent, err := os.MkdirTemp("", "server-copy-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	must(t, os.Chmod(parent, 0o755)) // The server may run as another user.
	dir = filepath.Join(parent, "server")
	must(t, os.Mkdir(dir, 0o700))
	must(t, server.Crash())
	for _, name := range []string{"data", "password"} {
		if out, err := exec.CommandContext(t.Context(), "cp", "-a", filepath.Join(server.Dir(), name), dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	_ = os.Remove(filepath.Join(dir, "data", "postmaster.pid")) // A crash may leave it.
	must(t, server.Resume(context.WithoutCancel(t.Context())))
	return dir
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
