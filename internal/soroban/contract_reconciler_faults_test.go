package soroban_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// TestDeployer_Expiry: a tenant's transaction never pays for the code, whatever the
// code's remaining lifetime.
func TestDeployer_Expiry(t *testing.T) {
	t.Parallel()
	for _, days := range []uint32{31, 60, 89, 119} {
		t.Run((time.Duration(days) * 24 * time.Hour).String(), func(t *testing.T) {
			b := setup(t)
			d := b.deployer()
			ids := b.live(d, 1)
			b.travel(days * day)
			before := b.count()
			c := b.deploy(d, b.begin())
			if c.FeeCharged > xlm/5 {
				t.Errorf("a contract cost %d stroops", c.FeeCharged)
			}
			k := b.reconciler(d, contracts.ReconcilerOptions{AnchorInterval: -1})
			r, err := k.Anchor(t.Context(), ids...)
			b.must(err)
			if len(r.Anchored) != 1 || before["UPLOAD SUCCEEDED"] != b.count()["UPLOAD SUCCEEDED"] {
				t.Errorf("%+v, %v", r, b.count())
			}
		})
	}
}

// onceBroken is a registry that compares the audit chains once, and then fails.
type onceBroken struct {
	contracts.Store
	asked int
}

func (o *onceBroken) AnchorMismatches(ctx context.Context, states []contracts.Snapshot) (map[uuid.UUID]string, error) {
	if o.asked++; o.asked > 1 {
		return nil, errs.Errorf(errs.KindTransient, "compare anchors", "the registry does not answer")
	}
	return o.Store.AnchorMismatches(ctx, states)
}

// recordEvent appends an event to a tenant's audit chain.
func (b *testBundle) recordEvent(tenantID uuid.UUID) {
	b.t.Helper()
	b.must(b.db.Record(b.t.Context(), audit.Event{TenantID: tenantID, Action: audit.ActionUpdate, Outcome: audit.OutcomeDone}))
}

func TestContractReconciler_Faults(t *testing.T) {
	t.Parallel()
	never := contracts.ReconcilerOptions{AnchorInterval: -1}

	t.Run("KeepsAnchorOfRewrittenChain", func(t *testing.T) {
		for name, rewrite := range map[string]func(r *registrytest.Registry, tenantID string, seq int){
			"Changed": (*registrytest.Registry).ChangeHash,
			"Cut":     (*registrytest.Registry).CutChain,
		} {
			t.Run(name, func(t *testing.T) {
				b := setup(t)
				d := b.deployer()
				id := b.live(d, 1)[0]
				k := b.reconciler(d, never)
				_, err := k.Anchor(t.Context(), id)
				b.must(err)
				anchored := b.states(d, []uuid.UUID{id})[0].Anchor
				rewrite(b.registry, id.String(), 1)
				b.recordEvent(id)
				for range 2 {
					r, err := k.Anchor(t.Context(), id)
					b.must(err)
					if len(r.Anchored) != 0 || !strings.Contains(r.Failed[id], "what the contract anchored") {
						t.Errorf("%+v", r)
					}
				}
				if now := b.states(d, []uuid.UUID{id})[0].Anchor; now != anchored {
					t.Errorf("the anchor is %+v now, it was %+v", now, anchored)
				}
			})
		}
	})

	t.Run("KeepsAnchorWhenRegistryFails", func(t *testing.T) {
		b := setup(t)
		d := b.deployer()
		id := b.live(d, 1)[0]
		_, err := b.reconciler(d, never).Anchor(t.Context(), id)
		b.must(err)
		anchored := b.states(d, []uuid.UUID{id})[0].Anchor
		b.registry.ChangeHash(id.String(), 1)
		b.recordEvent(id)
		b.travel(100 * day)
		book := &onceBroken{Store: b.db} // The chain is compared before the contract is extended, not after.
		k, err := contracts.NewReconciler(book, d, never)
		b.must(err)
		r, err := k.Anchor(t.Context(), id)
		b.must(err)
		if book.asked < 2 || len(r.Extended) != 1 || len(r.Anchored) != 0 || r.Failed[id] == "" {
			t.Errorf("asked %d times: %+v", book.asked, r)
		}
		if now := b.states(d, []uuid.UUID{id})[0].Anchor; now != anchored {
			t.Errorf("the anchor is %+v now, it was %+v", now, anchored)
		}
	})

	t.Run("RecoversFromForeignUseOfDeployerKey", func(t *testing.T) {
		b := setup(t)
		d := b.deployer()
		id := b.live(d, 1)[0]
		b.foreign(payment(b.key.Address(), 1))
		r, err := b.reconciler(d, never).Anchor(t.Context(), id)
		b.must(err)
		if len(r.Anchored) != 1 {
			t.Errorf("%+v", r)
		}
		b.foreign(payment(b.key.Address(), 1))
		b.travel(100 * day)
		b.registry.MakeContractsDue()
		if r := b.pass(b.deployer(), never); len(r.Extended) != 1 || len(r.Failed) != 0 {
			t.Errorf("%+v", r)
		}
	})

	t.Run("RedeploysAfterNetworkResetWithCode", func(t *testing.T) {
		b := setup(t)
		b.deployAll(2, b.deployer(channels(2)))
		b.reset()
		other := b.deployer(func(o *soroban.Options) { // Another account uploads the same code first.
			key := keypair.MustRandom()
			b.must(b.net.Fund(key.Address(), funding))
			o.DeployerSecret = key.Seed()
		})
		run := b.begin()
		_, err := other.Deploy(t.Context(), run.Tenant, b.db.TransactionLog(run))
		b.must(err)
		d := b.deployer(channels(2), func(o *soroban.Options) { o.Clock = hurried{began: time.Now()} })
		if ledgers := b.deployAll(2, d); len(ledgers) == 0 {
			t.Error("nothing was deployed")
		}
	})

	t.Run("UpgradesDespiteOlderPlan", func(t *testing.T) {
		b := setup(t)
		ids := b.live(b.deployer(), 2)
		second := append(contract.Wasm(), 0, 3, 1, 'v', '2')
		third := append(contract.Wasm(), 0, 3, 1, 'v', '3')
		older := b.deployer(func(o *soroban.Options) {
			o.Code = soroban.Code{Wasm: second, Predecessors: [][32]byte{contract.Hash()}}
		})
		b.pass(older, never)
		_, err := b.db.PlanUpgrade(t.Context(), older.CurrentCode(), ids)
		b.must(err)
		newer := b.deployer(func(o *soroban.Options) {
			o.Code = soroban.Code{Wasm: third, Predecessors: [][32]byte{contract.Hash(), sum(second)}}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if total, err := b.reconciler(newer, never).Upgrade(ctx, contracts.UpgradeOptions{}); total != 2 || err != nil {
			t.Errorf("%d, %v", total, err)
		}
		for _, s := range b.states(newer, ids) {
			if s.Outdated {
				t.Errorf("%+v", s)
			}
		}
	})

	t.Run("ConcurrentPassesDoNotFail", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(3))
		ids := b.live(d, 3)
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				r, err := b.reconciler(b.deployer(channels(3)), contracts.ReconcilerOptions{AnchorInterval: -1, MaxConcurrentChanges: 3}).Anchor(t.Context(), ids...)
				if err != nil || len(r.Failed) != 0 {
					t.Errorf("%+v, %v", r, err)
				}
			})
		}
		all.Wait()
		if n := b.count()["ANCHOR SUCCEEDED"]; n != 3 || b.count()["ANCHOR FAILED"] != 0 {
			t.Errorf("%v", b.count())
		}
	})

	t.Run("CancellationCountsNoFailure", func(t *testing.T) {
		b := setup(t)
		d := b.deployer()
		ids := b.live(d, 4)
		b.pass(d, never)
		for _, id := range ids {
			_, err := b.db.Archive(t.Context(), id)
			b.must(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		w := &wire{after: func(method string, _ []byte) []byte {
			if method == send {
				stop()
			}
			return nil
		}}
		_, _ = b.reconciler(b.deployer(func(o *soroban.Options) { o.HTTPClient = w.client() }), never).Pass(ctx) // The registry has what it completed.
		for _, c := range b.records() {
			if c.Record.ConsecutiveFailures > 0 || c.Record.LastError != "" {
				t.Errorf("a contract counts as failing: %+v", c)
			}
		}
		if r := b.pass(b.deployer(), never); len(r.StatusSet) < 3 || len(r.Failed) != 0 {
			t.Errorf("%+v", r)
		}
	})

	t.Run("SkipsContractsOfOtherDeployers", func(t *testing.T) {
		b := setup(t)
		b.live(b.deployer(), 2)
		stranger := keypair.MustRandom()
		b.must(b.net.Fund(stranger.Address(), funding))
		if r := b.pass(b.deployer(func(o *soroban.Options) { o.DeployerSecret = stranger.Seed() }), never); len(r.Failed) != 0 || r.Checked != 0 {
			t.Errorf("%+v", r)
		}
		b.registry.MakeContractsDue()
		if r := b.pass(b.deployer(), never); r.Checked != 2 {
			t.Errorf("%+v", r)
		}
	})
}

func TestDeployer_ChannelFaults(t *testing.T) {
	t.Parallel()

	t.Run("UsesDeployerForHighBid", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(2))
		b.deployAll(1, d)
		w := &wire{after: func(method string, answer []byte) []byte {
			if method != feeStats {
				return nil
			}
			return huge(answer)
		}}
		rich := b.deployer(channels(2), func(o *soroban.Options) { o.MaxFee, o.HTTPClient = 100*xlm, w.client() })
		run := b.begin()
		_, err := rich.Deploy(t.Context(), run.Tenant, b.db.TransactionLog(run))
		b.must(err)
		care, err := d.ReconcileChannels(t.Context(), b.db.SystemLog())
		b.must(err)
		for _, c := range care.Channels {
			if c.DisabledReason != "" {
				t.Errorf("%+v", c)
			}
		}
	})

	t.Run("UsesDeployerWhenAllChannelsAreDisabled", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(2))
		b.deployAll(1, d)
		none := xdr.Uint32(0)
		for i := range 2 {
			signer := xdr.Signer{Key: xdr.MustSigner(keypair.MustRandom().Address()), Weight: 1}
			b.foreignBy(b.channelKey(i), xdr.OperationBody{Type: xdr.OperationTypeSetOptions, SetOptionsOp: &xdr.SetOptionsOp{MasterWeight: &none, Signer: &signer}})
		}
		b.deployAll(2, d) // The deployer's account sends them.
	})

	t.Run("UnreadableBalanceIsNotMissingAccount", func(t *testing.T) {
		b := setup(t)
		id := b.live(b.deployer(), 1)[0]
		b.foreign(payment(keypair.Root(b.net.Passphrase()).Address(), int64(b.account().Balance)-xlm-100))
		b.registry.SetSequence(int64(b.account().SeqNum)) // So that its sequence number is not read.
		w := &wire{after: func(method string, _ []byte) []byte {
			if method == send {
				b.net.Faults().Fail(entries, http.StatusServiceUnavailable, 1000)
			}
			return nil
		}}
		d := b.deployer(func(o *soroban.Options) { o.HTTPClient = w.client() })
		_, err := d.ChangeContract(t.Context(), b.db.SystemLog(), id, contracts.Change{Purpose: txlog.PurposeStatus, Status: contracts.ContractStatusArchived})
		wantKind(t, err, errs.KindTransient)
		if strings.Contains(err.Error(), "does not exist") {
			t.Error(err)
		}
		b.net.Faults().Reset()
		_, err = b.deployer().ChangeContract(t.Context(), b.db.SystemLog(), id, contracts.Change{Purpose: txlog.PurposeStatus, Status: contracts.ContractStatusArchived})
		wantKind(t, err, errs.KindPermanent)
		if !strings.Contains(err.Error(), "send it at least") {
			t.Error(err)
		}
	})

	t.Run("ReportsLowDeployerBalance", func(t *testing.T) {
		b := setup(t)
		d := b.deployer()
		b.deploy(d, b.begin())
		b.foreign(payment(keypair.Root(b.net.Passphrase()).Address(), int64(b.account().Balance)-xlm-xlm/20))
		b.refused(b.deployer(), b.begin(), errs.KindPermanent, b.key.Address(), "send it at least", "reserve of 1 XLM")
	})

	t.Run("ResolvesTransactionsOfSurplusChannels", func(t *testing.T) {
		b := setup(t)
		many := b.deployer(channels(4))
		id := b.live(many, 1)[0]
		b.net.Faults().HoldQueue(true)
		ctx, die := context.WithCancel(t.Context())
		w := &wire{after: func(method string, _ []byte) []byte {
			if method == send {
				die()
			}
			return nil
		}}
		_, _ = b.reconciler(b.deployer(channels(4), func(o *soroban.Options) { o.HTTPClient = w.client() }), contracts.ReconcilerOptions{AnchorInterval: -1}).Anchor(ctx, id) // It is stopped.
		if n := b.count()["ANCHOR SIGNED"]; n != 1 {
			t.Fatalf("%v", b.count())
		}
		b.net.Faults().HoldQueue(false)
		b.closeLedger()
		b.registry.EndQuarantines()
		_, err := b.deployer().ReconcileChannels(t.Context(), b.db.SystemLog())
		b.must(err)
		if got := b.count(); got["ANCHOR SUCCEEDED"] != 1 || got["ANCHOR SIGNED"] != 0 {
			t.Errorf("%v", got)
		}
	})

	t.Run("DeploysWithFewerChannelsThanConfigured", func(t *testing.T) {
		b := setupUnfunded(t)
		b.must(b.net.Fund(b.key.Address(), 60*xlm))
		b.deployAll(1, b.deployer(channels(2)))
		b.deployAll(2, b.deployer(channels(40)))
	})
}

// huge makes a place in a ledger cost ten lumens.
func huge(answer []byte) []byte {
	var whole map[string]any
	if err := json.Unmarshal(answer, &whole); err != nil {
		return nil
	}
	result, _ := whole["result"].(map[string]any)
	fees, _ := result["sorobanInclusionFee"].(map[string]any)
	fees["p90"] = "100000000"
	raw, err := json.Marshal(whole)
	if err != nil {
		return nil
	}
	return raw
}
