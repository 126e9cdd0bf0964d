//go:build unix

package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
)

// ClockedServer is a PostgreSQL server whose clock a test moves. Nothing else sees that clock.
type ClockedServer struct {
	*pgserver.Server
	URL  string // Of the registry in it.
	t    testing.TB
	file string
}

// StartClockedServer starts a server with libfaketime, and a registry in it.
func StartClockedServer(t testing.TB) *ClockedServer {
	t.Helper()
	library := fakeTimeLibrary(t)
	dir, err := os.MkdirTemp("", "clock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &ClockedServer{t: t, file: filepath.Join(dir, "offset")}
	if err := os.Chmod(dir, 0o755); err != nil { // The server's account is another one.
		t.Fatal(err)
	}
	c.Shift(0)
	c.Server, err = pgserver.Start(t.Context(), pgserver.Options{InMemory: true, Env: []string{
		"LD_PRELOAD=" + library, "FAKETIME_TIMESTAMP_FILE=" + c.file, "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	const database = "clocked"
	if err := c.CreateDatabase(t.Context(), database); err != nil {
		t.Fatal(err)
	}
	c.URL = c.OwnerURL(database)
	if err := Migrate(t.Context(), c.URL); err != nil {
		t.Fatal(err)
	}
	return c
}

// Shift sets by how much the server's clock is ahead of this host's; negative: behind.
func (c *ClockedServer) Shift(ahead time.Duration) {
	c.t.Helper()
	next := c.file + ".next"
	err := os.WriteFile(next, fmt.Appendf(nil, "%+d\n", int64(ahead/time.Second)), 0o644) // The server's account reads it.
	if err == nil {
		err = os.Rename(next, c.file) // So that no half of it is read.
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// fakeTimeLibrary finds libfaketime. Postgres has one thread a process.
func fakeTimeLibrary(t testing.TB) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1", "/usr/local/lib/faketime/libfaketime.so.1", "/usr/lib64/faketime/libfaketime.so.1"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	SkipUnlessCI(t, "libfaketime is not installed: apt-get install libfaketime")
	return ""
}
