package soroban_test

import (
	"sync"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// TestDeployer_Throughput counts ledgers and calls. A ledger closes when all that
// can be in it waits for it, so the machine's speed has no part in the counts.
func TestDeployer_Throughput(t *testing.T) {
	t.Parallel()
	const carriers = 50
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
			b := setupUnfunded(t, func(o *stellarnet.Options) { o.Manual = true })
			b.must(b.net.Fund(b.key.Address(), funding))
			b.first = int64(b.account().SeqNum)
			var processes []*soroban.Deployer
			for range c.processes {
				processes = append(processes, b.deployer(channels(carriers), func(o *soroban.Options) { o.PollInterval = 50 * time.Millisecond }))
			}
			b.counted(1, 1, processes[:1]) // Uploads the code, makes the channels.
			b.net.Faults().Reset()
			closed, calls := b.counted(c.tenants, carriers, processes)
			if closed > c.most {
				t.Errorf("%d tenants took %d ledgers, more than %d", c.tenants, closed, c.most)
			}
			perTenant := float64(calls) / float64(c.tenants)
			t.Logf("%d tenants, %d processes: %d ledgers, %.1f calls for each tenant", c.tenants, c.processes, closed, perTenant)
			if perTenant > 6 {
				t.Errorf("%.1f calls for each tenant", perTenant)
			}
			b.wantChannelBooksToMatch(c.tenants+1, processes[0])
		})
	}
}

// counted deploys for so many tenants and closes a ledger whenever as many
// transactions wait as can, or nothing else is to be expected.
func (b *testBundle) counted(tenants, carriers int, processes []*soroban.Deployer) (closed, calls int) {
	b.t.Helper()
	runs := make([]provisioning.Run, tenants)
	for i := range runs {
		runs[i] = b.begin()
	}
	var all sync.WaitGroup
	done := make(chan struct{})
	for i, run := range runs {
		all.Go(func() {
			if _, err := processes[i%len(processes)].Deploy(b.t.Context(), run.Tenant, b.db.Journal(run)); err != nil {
				b.t.Error(err)
			}
		})
	}
	go func() { all.Wait(); close(done) }()
	f := b.net.Faults()
	for left := tenants; ; {
		select {
		case <-done:
			for _, method := range []string{send, ask, simulate, entries, feeStats, network} {
				calls += f.Calls(method)
			}
			return closed, calls
		case <-time.After(2 * time.Millisecond):
		}
		waiting := f.QueueSize()
		// Alone in the queue is what prepares for the rest: the upload, the channels.
		if waiting == 0 || waiting < min(carriers, left) {
			continue
		}
		b.closeLedger()
		closed++
		left -= waiting
		left = max(left, 1)
	}
}
