//go:build unix

package pgserver_test

import (
	"os"
	"sync"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
)

// TestServer_ConcurrentStartsKeepDirectories: each start removes abandoned directories, and
// none removes that of another start.
func TestServer_ConcurrentStartsKeepDirectories(t *testing.T) {
	t.Setenv("TMPDIR", sharedDir(t))
	var starts sync.WaitGroup
	for range 8 {
		starts.Go(func() {
			for range 100 {
				dir, unlock, err := pgserver.LockTemporaryDir(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(dir+"/password", nil, 0o600); err != nil {
					t.Error(err)
				}
				unlock() // Now it is abandoned.
			}
		})
	}
	starts.Wait()
}
