//go:build unix

package main_test

import (
	"net/http"
	"testing"
	"time"
)

// TestWorker_KilledAndRestarted: a worker that is started right after the only one was killed goes
// on with its tenant when the dead one's lease has run out, in four to five seconds. The time is
// logged.
func TestWorker_KilledAndRestarted(t *testing.T) {
	w := setup(t)
	server := w.start(w.createKey("admin"), "serve", "--worker=false")
	first := w.start("", "worker")
	w.net.Faults().HoldQueue(true)
	server.call(http.MethodPost, "/admin/tenants", clinic("The first")).want(t, http.StatusAccepted)
	w.waitFor("its transaction", func() bool { return w.net.Faults().QueueSize() == 1 })
	before := w.registry.RunEpochs()
	first.kill()
	killed := time.Now()
	w.start("", "worker")
	w.waitFor("another run", func() bool { return w.registry.RunEpochs() > before })
	t.Logf("another run went on %s after the kill", time.Since(killed).Round(10*time.Millisecond))
	w.net.Faults().HoldQueue(false)
	w.waitFor("the tenant", w.hasActive(1))
	w.assertInvariants()
}
