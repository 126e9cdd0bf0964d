//go:build unix

package main_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// leaveOpenTransaction kills a server while the network holds the transaction of the second of
// two tenants.
func (w *testEnv) leaveOpenTransaction() {
	w.t.Helper()
	p := w.start(w.createKey("admin"), "serve")
	p.call(http.MethodPost, "/admin/tenants", clinic("The first")).want(w.t, http.StatusAccepted)
	w.waitFor("the first tenant", w.hasActive(1))
	w.net.Faults().HoldQueue(true)
	p.call(http.MethodPost, "/admin/tenants", clinic("The second")).want(w.t, http.StatusAccepted)
	w.waitFor("its transaction", func() bool { return w.net.Faults().QueueSize() == 1 })
	p.kill()
}

// TestChannels_Resolve: an operator sees which transactions are open, and gives one up. It is
// applied all the same here: its contract is found, and not created again.
func TestChannels_Resolve(t *testing.T) {
	w := setup(t)
	w.mustRun("channels", "open").want(t, 0, "The outcome of each transaction is known.")
	w.leaveOpenTransaction()

	var open []struct{ Hash, Purpose string }
	if err := json.Unmarshal([]byte(w.mustRun("channels", "open", "--json").out), &open); err != nil || len(open) != 1 || open[0].Purpose != string(txlog.PurposeCreate) {
		t.Fatalf("%+v, %v", open, err)
	}
	hash := open[0].Hash
	w.mustRun("channels", "open").want(t, 0, "TRANSACTION", "VALID UNTIL", hash)
	w.run("channels", "resolve", hash).want(t, 1, "it may still be applied until a ledger has closed after", "--give-up --reason TEXT")
	w.run("channels", "resolve", hash, "--give-up").want(t, 2, "--give-up needs --reason TEXT")
	w.run("channels", "resolve", hash, "--reason", "x").want(t, 2, "--reason is for --give-up")
	w.run("channels", "resolve", hash, "--give-up", "--reason", strings.Repeat("x", 151)).want(t, 2, "more than 150 characters")
	w.run("channels", "resolve", strings.Repeat("0", 64)).want(t, 1, "no open transaction has the hash", "tenant-api channels open lists them")
	w.run("channels", "resolve").want(t, 2, "one transaction, as its hash")
	w.mustRun("channels", "resolve", hash, "--give-up", "--reason", "a test").want(t, 0, "It is given up.")
	w.run("channels", "resolve", hash).want(t, 1, "no open transaction has the hash")
	w.mustRun("channels", "open").want(t, 0, "The outcome of each transaction is known.")

	w.net.Faults().HoldQueue(false)
	second := w.start("", "worker")
	w.waitFor("the second tenant", w.hasActive(2))
	w.assertInvariants()
	if code := second.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestChannels_Resolve_Applied: the network knows the outcome.
func TestChannels_Resolve_Applied(t *testing.T) {
	w := setup(t)
	w.leaveOpenTransaction()
	hash := w.registry.TransactionLog().In(txlog.StateSigned)[0].Hash
	w.net.Faults().HoldQueue(false)
	w.waitFor("the next ledger", func() bool { return w.net.Faults().QueueSize() == 0 })
	w.mustRun("channels", "resolve", hash, "--give-up", "--reason", "too early").want(t, 0, "It is SUCCEEDED (txSUCCESS).")
	if n := len(w.registry.TransactionLog().In(txlog.StateSigned)); n != 0 {
		t.Errorf("%d are open", n)
	}
}
