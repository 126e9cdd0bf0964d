//go:build unix

package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// buildLater builds tenant-api as a later release, whose registry has one migration more.
func buildLater(t *testing.T, migration string) string {
	t.Helper()
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(root, "internal/postgres/pgdb/migrations/00002_later.sql"): write("later.sql", migration),
	}})
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "tenant-api")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", write("overlay.json", string(overlay)), "-o", program, "./cmd/tenant-api")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// TestOperationsGuide_Upgrade replaces server and worker by those of a later release while tenants
// are made without a pause.
func TestOperationsGuide_Upgrade(t *testing.T) {
	w := setup(t)
	earlier, later := w.program, buildLater(t, "-- +goose Up\nALTER TABLE tenants ADD COLUMN region text NOT NULL DEFAULT 'eu';\nCREATE TABLE later (id integer);\n")
	key := w.createKey("tenants:write")
	oldServer, oldWorker := w.start(key, "serve", "--worker=false"), w.start("", "worker")
	w.program = later
	g := w.guideShell("operations")
	w.run("worker", "--migrate=false").want(t, 1, "run tenant-api migrate up")

	// Clients that create tenants through whatever server the proxy has.
	var (
		current atomic.Pointer[process]
		created atomic.Int64
		stop    = make(chan struct{})
		stopped = make(chan error, 2)
	)
	current.Store(oldServer)
	for client := range 2 {
		go func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					stopped <- nil
					return
				case <-time.After(50 * time.Millisecond): // Tenants are not the limit here.
				}
				got, err := current.Load().do(http.MethodPost, "/admin/tenants", clinic(fmt.Sprintf("Clinic %d of %d", i, client)))
				if err != nil || got.status != http.StatusAccepted {
					stopped <- fmt.Errorf("status %d: %s: %w", got.status, got.text, err)
					return
				}
				created.Add(1)
			}
		}()
	}
	more := func() { // Tenants are made after this point, and become live.
		t.Helper()
		from, live := created.Load(), w.registry.WereLive()
		w.waitFor("more tenants", func() bool { return created.Load() > from+2 && w.registry.WereLive() > live+2 })
	}
	more()
	g.mustShell(g.script("migrate.sh")).want(t, 0, "registry", "to migrate: tenant-api migrate up")
	more() // By the earlier release, in the registry of the later one.
	w.program = earlier
	w.run("serve", "--port", "0").want(t, 1, "knows only 1")
	w.run("tenants", "list").want(t, 1, "knows only 1")
	w.program = later
	newServer := w.start(key, "serve", "--worker=false", "--migrate=false")
	current.Store(newServer)
	more() // By the later server and the earlier worker.
	w.start("", "worker", "--migrate=false")
	for _, p := range []*process{oldWorker, oldServer} {
		if code := p.terminate(); code != 0 {
			t.Errorf("exit code %d: %s", code, p.log.String())
		}
	}
	more()
	close(stop)
	for range 2 {
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	}
	w.waitFor("all tenants", w.allActive)
	if n := len(w.registry.All()); int64(n) != created.Load() {
		t.Errorf("%d tenants of %d", n, created.Load())
	}
	g.mustShell(g.script("../upgrading/upgrade.sh")).want(t, 0, "0 findings")
	for _, p := range []*process{oldServer, oldWorker} {
		if log := p.log.String(); strings.Contains(log, "level=ERROR") {
			t.Errorf("the earlier release logs an error: %s", log)
		}
	}
}
