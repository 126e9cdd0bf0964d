package soroban_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

const day = 17_280 // Ledgers.

// live creates tenants that are ACTIVE in the registry and on the ledger.
func (b *testBundle) live(d *soroban.Deployer, n int) (ids []uuid.UUID) {
	b.t.Helper()
	for range n {
		run := b.begin()
		c := b.deploy(d, run)
		b.registry.GoLive(run.Tenant.ID.String(), c.ID)
		ids = append(ids, run.Tenant.ID)
	}
	return ids
}

// liveAtOnce is live for many tenants, concurrently.
func (b *testBundle) liveAtOnce(d *soroban.Deployer, n int) (ids []uuid.UUID) {
	b.t.Helper()
	b.deployAll(n, d)
	for _, x := range b.registry.TransactionLog().Of(txlog.PurposeCreate).In(txlog.StateSucceeded) {
		b.registry.GoLive(x.TenantID.String(), x.ContractID)
		ids = append(ids, x.TenantID)
	}
	return ids
}

// records are what the registry has of contracts.
func (b *testBundle) records() []contracts.WorkItem {
	b.t.Helper()
	all, err := b.db.ListContracts(b.t.Context(), uuid.Nil, 1000)
	b.must(err)
	return all
}

func (b *testBundle) reconciler(d *soroban.Deployer, o contracts.ReconcilerOptions) *contracts.Reconciler {
	b.t.Helper()
	k, err := contracts.NewReconciler(b.db, d, o)
	b.must(err)
	return k
}

// pass runs one pass of a new reconciler, like the first one of a process.
func (b *testBundle) pass(d *soroban.Deployer, o contracts.ReconcilerOptions) contracts.Report {
	b.t.Helper()
	report, err := b.reconciler(d, o).Pass(b.t.Context())
	b.must(err)
	return report
}

func (b *testBundle) states(d *soroban.Deployer, ids []uuid.UUID) []contracts.Snapshot {
	b.t.Helper()
	tenants := make([]tenant.Tenant, len(ids))
	for i, id := range ids {
		t, err := b.db.Get(b.t.Context(), id)
		b.must(err)
		tenants[i] = t
	}
	states, err := d.ReadContracts(b.t.Context(), tenants)
	b.must(err)
	return states
}

func (b *testBundle) wantLife(d *soroban.Deployer, ids []uuid.UUID, life contracts.State) {
	b.t.Helper()
	for _, s := range b.states(d, ids) {
		if s.State != life {
			b.t.Errorf("%s is %s until %d in ledger %d, want %s", s.ContractID, s.State, s.LiveUntil, s.Ledger, life)
		}
	}
}

// travel closes ledgers.
func (b *testBundle) travel(ledgers uint32) {
	b.t.Helper()
	_, err := b.net.CloseLedgers(b.t.Context(), ledgers)
	b.must(err)
}

func TestContractReconciler(t *testing.T) {
	t.Parallel()
	never := contracts.ReconcilerOptions{AnchorInterval: -1}
	for _, carriers := range []int{0, 3} {
		t.Run(fmt.Sprintf("ExtendsContracts/%dChannels", carriers), func(t *testing.T) {
			b := setup(t)
			d := b.deployer(channels(carriers))
			ids := b.live(d, 7)
			if r := b.pass(d, never); r.Registered != 7 || r.Checked != 7 || len(r.Failed) != 0 {
				t.Fatalf("%+v", r)
			}
			// Only the reconciler changes the contracts.
			extended := 0
			for range 20 {
				b.travel(10 * day)
				b.registry.MakeContractsDue()
				r := b.pass(d, never)
				if len(r.Failed) != 0 || len(r.Restored) != 0 {
					t.Fatalf("%+v", r)
				}
				extended += len(r.Extended)
				b.wantLife(d, ids, contracts.StateLive)
			}
			if extended != 14 {
				t.Errorf("%d contracts were extended in 200 days, want each twice", extended)
			}
			if n := b.count()["EXTEND SUCCEEDED"]; n != 4 {
				t.Errorf("%d transactions for 14 contracts and their code", n)
			}
		})
	}

	t.Run("RestoresArchivedContracts", func(t *testing.T) {
		b := setup(t)
		d := b.deployer()
		ids := b.live(d, 5)
		b.travel(121 * day)
		b.wantLife(d, ids, contracts.StateExpired)
		r := b.pass(d, never)
		if len(r.Restored) != 5 || len(r.Failed) != 0 || r.FeeCharged == 0 {
			t.Errorf("%+v", r)
		}
		b.wantLife(d, ids, contracts.StateLive)
		b.registry.MakeContractsDue()
		if r := b.pass(d, never); !r.Empty() {
			t.Errorf("another pass found %+v", r)
		}
	})

	t.Run("RestoresOneAndExtendsOthers", func(t *testing.T) {
		b := setup(t)
		d := b.deployer()
		ids := b.live(d, 3)
		b.must(b.net.Faults().ExpireContract(b.states(d, ids)[1].ContractID))
		b.travel(100 * day)
		r := b.pass(d, never)
		if len(r.Restored) != 1 || len(r.Extended) < 2 || len(r.Failed) != 0 {
			t.Errorf("%+v", r)
		}
		b.wantLife(d, ids, contracts.StateLive)
	})

	t.Run("HalvesTooExpensiveBatch", func(t *testing.T) {
		// Contracts with an anchor are larger, and cost more than the ceiling for one.
		b := setup(t)
		ids := b.live(b.deployer(), 3)
		_, err := b.reconciler(b.deployer(), never).Anchor(t.Context(), ids[:2]...)
		b.must(err)
		b.travel(95 * day)
		b.registry.MakeContractsDue()
		r := b.pass(b.deployer(func(o *soroban.Options) { o.MaxFee = 1_100_000 }), never)
		if len(r.Extended) != 1 || r.Extended[0] != ids[2] || len(r.Failed) != 2 || !strings.Contains(r.Failed[ids[0]], "raise SOROBAN_MAX_FEE") {
			t.Errorf("%+v", r)
		}
	})

	t.Run("RenewsBatchesThatNoChannelCanPay", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(20))
		b.must(b.net.Fund(b.key.Address(), 1000*xlm))
		ids := b.liveAtOnce(d, 130)
		reconciler := b.reconciler(b.deployer(channels(4)), never)
		for _, days := range []uint32{100, 121} { // To be extended; to be restored.
			b.travel(days * day)
			r, err := reconciler.ReconcileAll(t.Context(), nil)
			b.must(err)
			if len(r.Extended)+len(r.Restored) < len(ids) || len(r.Failed) != 0 {
				t.Errorf("after %d days %d extended, %d restored, failed %v", days, len(r.Extended), len(r.Restored), r.Failed)
			}
			b.wantLife(d, ids, contracts.StateLive)
		}
	})

	t.Run("RetriesUnaffordableContractsWhenDue", func(t *testing.T) {
		b := setup(t)
		ids := b.live(b.deployer(), 2)
		b.travel(100 * day)
		poor := b.deployer(func(o *soroban.Options) { o.MaxFee, o.MaxUploadFee = 100, 100 })
		r := b.pass(poor, never)
		if len(r.Failed) != 2 || !strings.Contains(r.Failed[ids[0]], "raise SOROBAN_MAX") {
			t.Errorf("%+v", r)
		}
		if r := b.pass(b.deployer(), never); r.Checked != 0 {
			t.Errorf("the postponed contract is due immediately: %+v", r)
		}
		b.registry.MakeContractsDue()
		if r := b.pass(b.deployer(), never); len(r.Extended) != 2 || len(r.Failed) != 0 {
			t.Errorf("%+v", r)
		}
	})

	t.Run("WritesTenantStatus", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(2))
		ids := b.live(d, 3)
		b.pass(d, never)
		for _, id := range ids[:2] {
			_, err := b.db.Archive(t.Context(), id)
			b.must(err)
		}
		r := b.pass(d, never)
		if len(r.StatusSet) != 2 || len(r.Failed) != 0 {
			t.Errorf("%+v", r)
		}
		for i, s := range b.states(d, ids) {
			want := contracts.ContractStatusActive
			if i < 2 {
				want = contracts.ContractStatusArchived
			}
			if s.Status != want {
				t.Errorf("the status of contract %d is %q, want %q", i, s.Status, want)
			}
		}
		b.registry.SetStatus(ids[0].String(), tenant.StatusActive) // Restored: there is no schema here.
		if r := b.pass(d, never); len(r.StatusSet) != 1 || b.states(d, ids)[0].Status != contracts.ContractStatusActive {
			t.Errorf("%+v", r)
		}
		b.registry.SetStatus(ids[2].String(), tenant.StatusSuspended)
		if r := b.pass(d, never); len(r.StatusSet) != 1 || b.states(d, ids)[2].Status != contracts.ContractStatusSuspended {
			t.Errorf("%+v", r)
		}
		b.registry.SetStatus(ids[2].String(), tenant.StatusActive)
		if r := b.pass(d, never); len(r.StatusSet) != 1 || b.states(d, ids)[2].Status != contracts.ContractStatusActive {
			t.Errorf("%+v", r)
		}
	})

	t.Run("SetsEachStatus", func(t *testing.T) {
		b := setup(t)
		d := b.deployer()
		ids := b.live(d, 1)
		set := func(status contracts.ContractStatus) int64 {
			t.Helper()
			fee, err := d.ChangeContract(t.Context(), b.db.SystemLog(), ids[0], contracts.Change{Purpose: txlog.PurposeStatus, Status: status})
			b.must(err)
			if s := b.states(d, ids)[0]; s.Status != status {
				t.Errorf("the status is %q, want %q", s.Status, status)
			}
			return fee
		}
		for _, status := range []contracts.ContractStatus{
			contracts.ContractStatusSuspended, contracts.ContractStatusArchived, contracts.ContractStatusSuspended, contracts.ContractStatusActive,
		} {
			if set(status) == 0 {
				t.Errorf("setting %s cost nothing", status)
			}
			if fee := set(status); fee != 0 {
				t.Errorf("setting %s again cost %d stroops", status, fee)
			}
		}
		_, err := d.ChangeContract(t.Context(), b.db.SystemLog(), ids[0], contracts.Change{Purpose: txlog.PurposeStatus, Status: "CLOSED"})
		wantKind(t, err, errs.KindPermanent)
	})

	t.Run("RetriesStatusChange", func(t *testing.T) {
		b := setup(t)
		d := b.deployer()
		ids := b.live(d, 1)
		b.pass(d, never)
		_, err := b.db.Archive(t.Context(), ids[0])
		b.must(err)
		b.must(b.net.Faults().Down())
		if _, err := b.reconciler(d, never).Pass(t.Context()); errs.KindOf(err) != errs.KindTransient {
			t.Errorf("%v", err)
		}
		b.must(b.net.Faults().Up())
		b.registry.MakeContractsDue()
		if r := b.pass(d, never); len(r.StatusSet) != 1 {
			t.Errorf("%+v", r)
		}
	})

	t.Run("AnchorsOnDemandAndOnSchedule", func(t *testing.T) {
		b := setup(t)
		d := b.deployer()
		ids := b.live(d, 2)
		k := b.reconciler(d, never)
		r, err := k.Anchor(t.Context(), ids[0])
		b.must(err)
		if len(r.Anchored) != 1 || len(r.Failed) != 0 {
			t.Fatalf("%+v", r)
		}
		events, err := b.db.Events(t.Context(), ids[0], 0, 1000)
		b.must(err)
		s := b.states(d, ids)
		if !bytes.Equal(s[0].Anchor.Root[:], events[len(events)-1].Hash) || s[0].Anchor.Ledger == 0 || s[1].Anchor.Seq != 0 {
			t.Errorf("%+v", s)
		}
		if r, err := k.Anchor(t.Context(), ids[0]); err != nil || len(r.Anchored) != 0 {
			t.Errorf("the same head was anchored again: %+v, %v", r, err)
		}
		b.registry.MakeContractsDue()
		if r := b.pass(d, contracts.ReconcilerOptions{AnchorInterval: time.Hour}); len(r.Anchored) != 0 {
			t.Errorf("anchored before its time: %+v", r)
		}
		b.registry.SetCreated(-2 * time.Hour)
		b.registry.MakeContractsDue()
		if r := b.pass(d, contracts.ReconcilerOptions{AnchorInterval: time.Hour}); len(r.Anchored) != 1 {
			t.Errorf("%+v", r)
		}
	})

	t.Run("UpgradesAllAfterCanary", func(t *testing.T) {
		b := setup(t)
		ids := b.live(b.deployer(), 6)
		other := soroban.Code{Wasm: otherCode(), Predecessors: [][32]byte{contract.Hash()}}
		d := b.deployer(channels(3), func(o *soroban.Options) { o.Code = other })
		var seen []contracts.UpgradeProgress
		total, err := b.reconciler(d, never).Upgrade(t.Context(), contracts.UpgradeOptions{
			Progress: func(p contracts.UpgradeProgress) { seen = append(seen, p) },
		})
		b.must(err)
		if total != 6 || len(seen) < 3 || seen[len(seen)-1] != (contracts.UpgradeProgress{Done: 6, Total: 6}) {
			t.Errorf("%d, %+v", total, seen)
		}
		for _, s := range b.states(d, ids) {
			if s.Outdated || s.WasmHash != d.CurrentCode() || s.State != contracts.StateLive {
				t.Errorf("%+v", s)
			}
		}
		if n := b.count()["UPLOAD SUCCEEDED"]; n != 2 {
			t.Errorf("%d uploads", n)
		}
		if total, err := b.reconciler(d, never).Upgrade(t.Context(), contracts.UpgradeOptions{}); total != 0 || err != nil {
			t.Errorf("again: %d, %v", total, err)
		}
		// An older program does not know the code.
		if s := b.states(b.deployer(), ids[:1])[0]; s.State != contracts.StateMismatch || !strings.Contains(s.Mismatch, "it runs code") {
			t.Errorf("%+v", s)
		}
	})

	t.Run("FailedCanaryStopsUpgrade", func(t *testing.T) {
		b := setup(t)
		ids := b.live(b.deployer(), 3)
		d := b.deployer(func(o *soroban.Options) {
			o.Code = soroban.Code{Wasm: otherCode(), Predecessors: [][32]byte{contract.Hash()}}
			o.MaxFee = 1000
		})
		_, err := b.reconciler(d, never).Upgrade(t.Context(), contracts.UpgradeOptions{})
		wantKind(t, err, errs.KindPermanent)
		if text := errs.SafeMessage(err); !strings.Contains(text, "no other was changed") || !strings.Contains(text, "SOROBAN_MAX_FEE") {
			t.Error(text)
		}
		planned := 0
		for _, c := range b.records() {
			if c.Record.UpgradeTo != "" {
				planned++
			}
		}
		if planned != 1 || b.count()["UPGRADE SUCCEEDED"] != 0 {
			t.Errorf("%d planned, %v", planned, b.count())
		}
		b.wantLife(b.deployer(), ids, contracts.StateLive)
	})

	t.Run("RedeploysAfterNetworkReset", func(t *testing.T) {
		b := setup(t)
		ids := b.live(b.deployer(), 3)
		b.pass(b.deployer(), never)
		_, err := b.db.Archive(t.Context(), ids[0])
		b.must(err)
		b.reset()
		d := b.deployer(func(o *soroban.Options) { o.Clock = hurried{began: time.Now()} })
		b.wantLife(d, ids, contracts.StateMissing)
		b.registry.MakeContractsDue()
		if r := b.pass(d, never); len(r.Redeployed) != 3 || len(r.Failed) != 0 {
			t.Errorf("%+v", r)
		}
		b.wantLife(d, ids, contracts.StateLive)
		if r := b.pass(d, never); len(r.StatusSet) != 1 || b.states(d, ids)[0].Status != contracts.ContractStatusArchived {
			t.Errorf("a new contract has the wrong state: %+v", r)
		}
	})

	t.Run("ConcurrentReconcilersShareWork", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(3))
		b.live(d, 8)
		b.travel(100 * day)
		reports := make(chan contracts.Report, 4)
		for range 4 {
			go func() {
				r, err := b.reconciler(b.deployer(channels(3)), never).Pass(t.Context())
				if err != nil {
					t.Error(err)
				}
				reports <- r
			}()
		}
		looked, extended := 0, 0
		for range 4 {
			r := <-reports
			looked, extended = looked+r.Checked, extended+len(r.Extended)
		}
		if looked != 8 || extended != 8 {
			t.Errorf("%d checked, %d extended", looked, extended)
		}
	})
}
