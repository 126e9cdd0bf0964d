package soroban_test

import (
	"sync"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// TestDeployer_Throughput counts ledgers and calls. A ledger closes when all
// transactions that fit wait for it, so the counts do not depend on the machine's speed.
func TestDeployer_Throughput(t *testing.T) {
	t.Parallel()
	const carriers, pollEvery = 50, 50 * time.Millisecond
	for _, c := range []struct {
		name               string
		tenants, processes int
		most               int
	}{
		{"FiftyAtOnceTakeTwoLedgers", 50, 1, 2},
		{"FromFiveProcesses", 50, 5, 2},
		{"FiveHundredTakeTwelve", 500, 1, 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Its time stands still between ledgers: transactions do not expire on a slow machine.
			started := time.Now()
			b := setupUnfunded(t, func(o *stellarnet.Options) { o.Manual, o.Now = true, func() time.Time { return started } })
			b.must(b.net.Fund(b.key.Address(), funding))
			b.first = int64(b.account().SeqNum)
			var processes []*soroban.Deployer
			for range c.processes {
				processes = append(processes, b.deployer(channels(carriers), func(o *soroban.Options) { o.PollInterval = pollEvery }))
			}
			b.counted(1, 1, processes[:1]) // Uploads the code, creates the channels.
			b.net.Faults().Reset()
			began := time.Now()
			closed := b.counted(c.tenants, carriers, processes)
			if closed > c.most {
				t.Errorf("%d tenants took %d ledgers, more than %d", c.tenants, closed, c.most)
			}
			f, own := b.net.Faults(), 0
			for _, method := range []string{send, simulate} {
				own += f.Calls(method)
			}
			// Reads are shared, and so are polls: their number depends on the time and
			// not on the tenants.
			perTenant, reads := float64(own)/float64(c.tenants), f.Calls(entries)+f.Calls(feeStats)+f.Calls(network)
			t.Logf("%d tenants, %d processes: %d ledgers, %.1f calls for each tenant and %d shared reads", c.tenants, c.processes, closed, perTenant, reads)
			if most := c.processes*(int(time.Since(began)/pollEvery)+4) + c.tenants; perTenant > 3 || reads > most {
				t.Errorf("%.1f calls for each tenant, %d shared reads of at most %d", perTenant, reads, most)
			}
			b.wantChannelBooksToMatch(c.tenants+1, processes[0])
		})
	}
}

// counted deploys for that many tenants and closes a ledger whenever as many
// transactions wait as fit, or no more can come.
func (b *testBundle) counted(tenants, carriers int, processes []*soroban.Deployer) (closed int) {
	b.t.Helper()
	runs := make([]provisioning.Run, tenants)
	for i := range runs {
		runs[i] = b.begin()
	}
	var all sync.WaitGroup
	done := make(chan struct{})
	for i, run := range runs {
		all.Go(func() {
			if _, err := processes[i%len(processes)].Deploy(b.t.Context(), run.Tenant, b.db.TransactionLog(run)); err != nil {
				b.t.Error(err)
			}
		})
	}
	go func() { all.Wait(); close(done) }()
	f := b.net.Faults()
	for left := tenants; ; {
		select {
		case <-done:
			return closed
		case <-time.After(2 * time.Millisecond):
		}
		waiting := f.QueueSize()
		// A single queued transaction is a preparation: the upload or the channels.
		if waiting == 0 || waiting < min(carriers, left) {
			continue
		}
		b.closeLedger()
		closed++
		left -= waiting
		left = max(left, 1)
	}
}
