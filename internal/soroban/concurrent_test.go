package soroban_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

const (
	stormTenants  = 1000
	stormChannels = 20
	stormAtOnce   = 40
	callsPerFault = 3 // Transactions that are sent between two faults.
)

// TestDeployer_ManyConcurrent deploys for a thousand tenants from two processes that
// share channels, with all network faults and with runs killed at every point. At the
// end each tenant has one contract, nothing was paid twice, and no channel is blocked.
func TestDeployer_ManyConcurrent(t *testing.T) {
	b := setup(t)
	s := &storm{testBundle: b, kills: map[string]int{}, faults: map[string]int{}}
	for i := range s.processes {
		db, err := postgres.Open(t.Context(), pgdb.Options{URL: b.url, ApplicationName: fmt.Sprint("process ", i)})
		b.must(err)
		t.Cleanup(db.Close)
		db.MaxValidity = networkTimeAhead
		s.processes[i] = process{db, b.deployer(channels(stormChannels))}
	}
	b.deployAll(1, s.processes[0].deployer) // Code and channels exist.

	weather, calm := context.WithCancel(t.Context())
	var blowing sync.WaitGroup
	blowing.Go(func() { s.blow(weather) })
	var all sync.WaitGroup
	tenants := make(chan int)
	for range stormAtOnce {
		all.Go(func() {
			for i := range tenants {
				s.deploy(i)
			}
		})
	}
	for i := range stormTenants {
		tenants <- i
	}
	close(tenants)
	all.Wait()
	calm()
	blowing.Wait()
	b.net.Faults().Reset()
	s.wantOrder()
}

type process struct {
	db       *postgres.DB
	deployer *soroban.Deployer
}

type storm struct {
	*testBundle
	processes [2]process

	mu     sync.Mutex
	runs   []provisioning.Run
	kills  map[string]int
	faults map[string]int // Errors of Deploy.
}

// deploy deploys for one tenant, in consecutive processes, until it has a contract.
func (s *storm) deploy(i int) {
	random := rand.New(rand.NewPCG(randomSeed, uint64(i)))
	run := s.begin()
	for try := 0; ; try++ {
		p := s.processes[(i+try)%len(s.processes)]
		if s.try(p, &run, random) {
			break
		}
		if try == 40 {
			s.t.Errorf("tenant %d has no contract after %d tries", i, try)
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = append(s.runs, run)
}

// try deploys once. One run in four is killed, half of those between storing and
// sending.
func (s *storm) try(p process, run *provisioning.Run, random *rand.Rand) bool {
	ctx, die := context.WithCancel(s.t.Context())
	defer die()
	w := watched{Log: p.db.TransactionLog(*run)}
	switch random.IntN(8) {
	case 0:
		w.killed, w.afterStore = true, func(txlog.Transaction) { s.killed("between store and send"); die() }
	case 1:
		w.killed = true
		time.AfterFunc(time.Duration(random.IntN(300))*time.Millisecond, func() { s.killed("anywhere"); die() })
	}
	_, err := p.deployer.Deploy(ctx, run.Tenant, w)
	switch kind := errs.KindOf(err); {
	case kind == errs.KindTransient, kind == errs.KindCancelled:
	case err != nil:
		s.t.Errorf("tenant %s: %v", run.Tenant.Name, err)
		return true
	}
	if err != nil {
		s.mu.Lock()
		s.faults[errs.SafeMessage(err)]++
		s.mu.Unlock()
	}
	if w.killed {
		*run = s.restart(*run)
	}
	return err == nil
}

func (s *storm) killed(where string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kills[where]++
}

// blow injects one fault after another.
func (s *storm) blow(ctx context.Context) {
	random := rand.New(rand.NewPCG(randomSeed, 1))
	f := s.net.Faults()
	methods := []string{send, send, send, ask, simulate, entries, feeStats, ""}
	for ctx.Err() == nil {
		method, n := methods[random.IntN(len(methods))], 1+random.IntN(5)
		switch random.IntN(10) {
		case 0:
			f.DropBefore(method, n)
		case 1, 2:
			f.DropAfter(method, n)
		case 3:
			f.Fail(method, http.StatusServiceUnavailable, n)
		case 4:
			f.FailAfter(method, http.StatusGatewayTimeout, n)
		case 5:
			f.TryAgainLater(n)
		case 6:
			f.Lag(uint32(random.IntN(4)))
		case 7:
			f.ForgetHistory()
		case 8: // Queued transactions expire.
			f.HoldQueue(true)
			_ = clock.System{}.Sleep(ctx, 30*time.Millisecond)
			f.AdvanceClock(2 * time.Minute)
			if _, err := s.net.CloseLedger(context.WithoutCancel(ctx)); err != nil {
				s.t.Error(err)
			}
			f.HoldQueue(false)
		case 9:
			f.Capacity(random.IntN(12))
		}
		// The faults follow the work: on a slow machine all transactions would expire. Without
		// room in the ledgers nothing more is sent, so the wait ends.
		sent := f.Calls(send)
		for range 10 {
			_ = clock.System{}.Sleep(ctx, time.Duration(20+random.IntN(60))*time.Millisecond)
			if f.Calls(send) >= sent+callsPerFault {
				break
			}
		}
		if random.IntN(6) == 0 {
			f.Lag(0)
			f.Capacity(0)
		}
	}
}

// wantOrder compares transaction log and registry with the ledger.
func (s *storm) wantOrder() {
	s.t.Helper()
	d := s.processes[0].deployer
	tenants := make([]tenant.Tenant, len(s.runs))
	for i, r := range s.runs {
		tenants[i] = tenant.Tenant{ID: r.Tenant.ID}
	}
	states, err := d.ReadContracts(s.t.Context(), tenants)
	s.must(err)
	seen := map[uuid.UUID]bool{}
	for _, c := range states {
		if c.State != contracts.StateLive && c.State != contracts.StateExpiring || seen[c.TenantID] {
			s.t.Errorf("%+v", c)
		}
		seen[c.TenantID] = true
	}
	if len(seen) != stormTenants {
		s.t.Errorf("%d tenants have a contract", len(seen))
	}
	// The next leaseholder of a channel resolves the transactions of the last killed runs.
	s.registry.EndAccountLeases()
	s.registry.EndQuarantines()
	for range 10 {
		if s.open() == 0 {
			break
		}
		s.deployAll(stormChannels, d)
	}
	if n := s.open(); n != 0 {
		s.t.Errorf("%d transactions are open", n)
	}
	care, err := d.ReconcileChannels(s.t.Context(), s.db.SystemLog())
	s.must(err)
	for _, c := range care.Channels {
		if c.State() != txlog.ChannelFree {
			s.t.Errorf("a channel is stuck: %+v", c)
		}
	}
	s.wantNothingPaidTwice(care)
	s.t.Logf("%v; killed %v; failed tries %v", s.count(), s.kills, s.faults)
}

func (s *storm) open() int {
	s.t.Helper()
	return s.registry.Transactions("", txlog.StateSigned)
}

// wantNothingPaidTwice: each contract was created by one transaction, no transaction was
// applied without effect, and the accounts paid what the transaction log has. When the server
// had lost a transaction, the transaction log does not have its fee; each of these counts with
// at most its maximum fee.
func (s *storm) wantNothingPaidTwice(care contracts.ChannelReport) {
	s.t.Helper()
	log := s.registry.TransactionLog()
	twice, vain, applied := 0, len(log.In(txlog.StateFailed)), log.In(txlog.StateSucceeded, txlog.StateFailed)
	for _, creations := range log.Of(txlog.PurposeCreate).In(txlog.StateSucceeded).Contracts() {
		if creations > 1 {
			twice++
		}
	}
	unknown, unknownMost := 0, int64(0)
	for _, x := range applied {
		if x.FeeCharged == 0 {
			unknown++
			unknownMost += x.MaxFee
		}
	}
	if twice != 0 || vain != 0 {
		s.t.Errorf("%d contracts were created twice, %d transactions were applied without effect", twice, vain)
	}
	have, used := care.DeployerBalance, int64(s.account().SeqNum)-s.first
	for _, c := range care.Channels {
		have += c.Balance
		used += int64(s.accountOf(c.Address).SeqNum) & 0xffffffff // The bits above are the ledger of its creation.
	}
	if used != int64(len(applied)) {
		s.t.Errorf("%d sequence numbers are used, %d are in the transaction log", used, len(applied))
	}
	fees := log.Fees()
	if gap := funding - have - fees; gap < 0 || gap > unknownMost || unknown == 0 && gap != 0 {
		s.t.Errorf("%d stroops were paid, %d are in the transaction log, and %d transactions of at most %d with an unknown fee",
			funding-have, fees, unknown, unknownMost)
	}
	s.t.Logf("%d transactions applied, %d of them forgotten by the server", len(applied), unknown)
}
