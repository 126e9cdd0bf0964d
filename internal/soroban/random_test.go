package soroban_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

const (
	randomDeployments = 50
	randomSeed        = 20260814
)

// chaos chooses faults, the same ones each time.
type chaos struct {
	*testBundle
	rand   *rand.Rand
	others int   // Transactions of another owner of the deployer's key,
	cost   int64 // and their cost.
}

// TestDeployer_RandomFaults deploys for many tenants with random faults, and compares
// transaction log and ledger at the end.
func TestDeployer_RandomFaults(t *testing.T) {
	b := setup(t)
	for range 8 {
		b.closeLedger() // So that a lagging server has the account.
	}
	c := &chaos{testBundle: b, rand: rand.New(rand.NewPCG(randomSeed, randomDeployments))}
	failed := 0
	for i := range randomDeployments {
		run := b.begin()
		for tries := 1; !c.deploy(&run); tries++ {
			if failed++; tries == 10 {
				t.Fatalf("tenant %d has no contract after %d tries", i, tries)
			}
		}
		b.net.Faults().Reset()
		b.deploy(b.deployer(), run) // Another process, without faults, agrees.
	}
	b.wantBooksToMatch(randomDeployments, c.others, c.cost)
	t.Logf("%v; %d calls of Deploy failed, %d transactions of others", b.count(), failed, c.others)
}

// deploy tries once, in a separate process, and reports whether it succeeded.
func (c *chaos) deploy(run *provisioning.Run) bool {
	c.t.Helper()
	c.net.Faults().Reset()
	ctx, die := context.WithCancel(c.t.Context())
	defer die()
	w := watched{Log: c.db.TransactionLog(*run), killed: c.rand.IntN(2) == 0}
	watch := &wire{}
	for range 1 + c.rand.IntN(3) {
		c.strike(&w, watch, die)
	}
	_, err := c.deployer(func(o *soroban.Options) { o.HTTPClient = watch.client() }).Deploy(ctx, run.Tenant, w)
	switch kind := errs.KindOf(err); {
	case kind == errs.KindTransient, kind == errs.KindCancelled:
	case err != nil:
		c.t.Fatalf("tenant %s: %v", run.Tenant.Name, err)
	}
	if w.killed {
		*run = c.restart(*run)
	}
	return err == nil
}

// strike chooses one fault and its moment.
func (c *chaos) strike(w *watched, watch *wire, die func()) {
	f := c.net.Faults()
	methods := []string{send, send, send, ask, ask, simulate, entries, feeStats, network, ""}
	method, n := methods[c.rand.IntN(len(methods))], 1+c.rand.IntN(3)
	at := once(1+c.rand.IntN(8), die)
	switch c.rand.IntN(12) {
	case 0:
		f.DropBefore(method, n)
	case 1:
		f.DropAfter(method, n)
	case 2:
		f.Fail(method, http.StatusServiceUnavailable, n)
	case 3:
		f.FailAfter(method, http.StatusGatewayTimeout, n)
	case 4:
		f.TryAgainLater(n)
	case 5:
		f.Lag(uint32(n))
	case 6:
		w.afterStore = func(txlog.Transaction) { die() }
	case 7:
		watch.after = func(string, []byte) []byte { at(); return nil }
	case 8:
		watch.before = on(send, once(1, c.expire))
	case 9:
		watch.before = on(send, once(1, func() {
			f.Reset()               // The other process meets no faults.
			if f.QueueSize() == 0 { // Otherwise the account is busy.
				c.others, c.cost = c.others+1, c.cost+c.foreign(payment(c.key.Address(), 1))
			}
		}))
	case 10:
		// Fails while there is no code yet: then there is nothing to archive.
		_ = f.ExpireEntry(codeKey())
	case 11:
		f.HoldQueue(true)
		watch.after = func(called string, _ []byte) []byte {
			if called == send && f.QueueSize() > 0 {
				c.expire()
				f.HoldQueue(false)
			}
			return nil
		}
	}
}
