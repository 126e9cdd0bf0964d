package soroban_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/txsubmit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

func channels(n int) func(*soroban.Options) {
	return func(o *soroban.Options) { o.Channels = n }
}

// deployAll deploys for that many tenants concurrently and returns the number of
// contracts created in each ledger.
func (b *testBundle) deployAll(tenants int, deployers ...*soroban.Deployer) map[uint32]int {
	b.t.Helper()
	runs := make([]provisioning.Run, tenants)
	for i := range runs {
		runs[i] = b.begin()
	}
	var (
		all     sync.WaitGroup
		mu      sync.Mutex
		ledgers = map[uint32]int{}
	)
	for i, run := range runs {
		all.Go(func() {
			c, err := deployers[i%len(deployers)].Deploy(b.t.Context(), run.Tenant, b.db.TransactionLog(run))
			if err != nil {
				b.t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ledgers[c.Ledger]++
		})
	}
	all.Wait()
	return ledgers
}

// wantChannelBooksToMatch compares the transaction log with the ledger: each contract was
// created once, and deployer and channels paid what the transaction log has, plus foreign.
func (b *testBundle) wantChannelBooksToMatch(tenants int, d *soroban.Deployer, foreign ...int64) {
	b.t.Helper()
	fees := b.wantEachCreatedOnce(tenants).Fees()
	care, err := d.ReconcileChannels(b.t.Context(), b.db.SystemLog())
	b.must(err)
	have := care.DeployerBalance
	for _, c := range care.Channels {
		have += c.Balance
		if c.DisabledReason != "" || c.Open != 0 || !c.LeasedUntil.IsZero() {
			b.t.Errorf("%+v", c)
		}
	}
	fees += care.FeeCharged
	for _, cost := range foreign {
		fees += cost
	}
	if paid := funding - have; paid != fees {
		b.t.Errorf("deployer and channels paid %d stroops, %d are in the transaction log or foreign", paid, fees)
	}
}

func TestDeployer_Channels(t *testing.T) {
	t.Parallel()

	t.Run("SendManyInOneLedger", func(t *testing.T) {
		// As on public networks, a ledger is long beside the work for a transaction.
		b := setupUnfunded(t, func(o *stellarnet.Options) { o.LedgerClose = 2 * time.Second })
		b.must(b.net.Fund(b.key.Address(), funding))
		b.first = int64(b.account().SeqNum)
		d := b.deployer(channels(12))
		b.deployAll(1, d) // Uploads the code, creates the channels.
		ledgers := b.deployAll(36, d)
		most := 0
		for _, n := range ledgers {
			most = max(most, n)
		}
		if most < 4 || most > 12 {
			t.Errorf("%v", ledgers)
		}
		b.wantChannelBooksToMatch(37, d)
		if n := b.count()["FUND SUCCEEDED"]; n != 1 {
			t.Errorf("%d transactions to make 12 channels", n)
		}
	})

	t.Run("ProcessesShareChannels", func(t *testing.T) {
		b := setup(t)
		var processes []*soroban.Deployer
		for range 5 {
			processes = append(processes, b.deployer(channels(4)))
		}
		b.deployAll(25, processes...) // All start at the same time, with nothing deployed.
		b.wantChannelBooksToMatch(25, processes[0])
		if got := b.count(); got["FUND SUCCEEDED"] != 1 || got["UPLOAD SUCCEEDED"] != 1 {
			t.Errorf("%v", got)
		}
	})

	t.Run("AddsConfiguredChannels", func(t *testing.T) {
		b := setup(t)
		b.deployAll(2, b.deployer(channels(2)))
		more := b.deployer(channels(5))
		b.deployAll(2, more)
		known, err := b.db.SystemLog().Channels(t.Context(), txsubmit.NetworkID(b.net.Passphrase()), b.key.Address())
		b.must(err)
		if len(known) != 5 {
			t.Errorf("%d channels", len(known))
		}
		b.wantChannelBooksToMatch(4, more)
	})

	t.Run("CreatesChannelsInSeveralTransactions", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(101))
		care, err := d.ReconcileChannels(t.Context(), b.db.SystemLog())
		b.must(err)
		if care.Created != 101 || len(care.Channels) != 101 || b.count()["FUND SUCCEEDED"] != 2 {
			t.Errorf("%d made, %v", care.Created, b.count())
		}
	})

	t.Run("ReportsInsufficientBalance", func(t *testing.T) {
		b := setupUnfunded(t)
		b.must(b.net.Fund(b.key.Address(), 100*xlm))
		d := b.deployer(channels(50))
		b.refused(d, b.begin(), errs.KindPermanent, "the funding of 50 channel accounts with 250 XLM", "send it at least")
	})

	t.Run("RefusesFundingAboveCeiling", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(20), func(o *soroban.Options) { o.MaxFee = 1000 })
		_, err := d.ReconcileChannels(t.Context(), b.db.SystemLog())
		wantKind(t, err, errs.KindPermanent)
		if text := errs.SafeMessage(err); !strings.Contains(text, "the funding of 20 channel accounts") || !strings.Contains(text, "SOROBAN_MAX_FEE") {
			t.Error(text)
		}
	})

	t.Run("TopsUpLowBalances", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(2))
		b.deployAll(1, d)
		care, err := d.ReconcileChannels(t.Context(), b.db.SystemLog())
		b.must(err)
		if care.Created+care.ToppedUp != 0 {
			t.Errorf("%+v", care)
		}
		b.drain(0, 15*xlm/10)
		care, err = d.ReconcileChannels(t.Context(), b.db.SystemLog())
		b.must(err)
		if care.ToppedUp != 1 || care.Channels[0].Balance != 5*xlm {
			t.Errorf("%+v", care)
		}
	})

	t.Run("ReplacesChannelWithLowBalance", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(2))
		b.deployAll(1, d)
		b.drain(0, 105*xlm/100)
		b.deployAll(6, d)
		b.wantChannelBooksToMatch(7, d, 100)
	})

	t.Run("TopsUpDuringDeployment", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(2))
		b.deployAll(1, d)
		b.drain(0, 105*xlm/100)
		b.drain(1, 105*xlm/100)
		b.deployAll(4, d)
		b.wantChannelBooksToMatch(5, d, 200)
	})

	t.Run("DisablesChannelWithChangedSigners", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(2))
		b.deployAll(1, d)
		none := xdr.Uint32(0)
		signer := xdr.Signer{Key: xdr.MustSigner(keypair.MustRandom().Address()), Weight: 1}
		key := b.channelKey(0)
		b.foreignBy(key, xdr.OperationBody{Type: xdr.OperationTypeSetOptions, SetOptionsOp: &xdr.SetOptionsOp{MasterWeight: &none, Signer: &signer}})
		b.deployAll(5, d)
		care, err := d.ReconcileChannels(t.Context(), b.db.SystemLog())
		b.must(err)
		if care.Channels[0].DisabledReason == "" || care.Channels[1].DisabledReason != "" {
			t.Errorf("%+v", care.Channels)
		}
	})

	t.Run("RecoversFromForeignSequenceNumber", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(1))
		b.deployAll(1, d)
		b.foreignBy(b.channelKey(0), payment(b.key.Address(), 1))
		b.deployAll(2, d)
		if got := b.count(); got["CREATE SUCCEEDED"] != 3 || got["CREATE REJECTED"] != 1 {
			t.Errorf("%v", got)
		}
	})

	t.Run("QuarantinesAfterUnknownOutcome", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(2))
		b.deployAll(1, d)
		run := b.begin()
		b.net.Faults().HoldQueue(true)
		ctx, die := context.WithCancel(t.Context())
		_, err := d.Deploy(ctx, run.Tenant, watched{Log: b.db.TransactionLog(run), afterStore: func(txlog.Transaction) { die() }})
		wantKind(t, err, errs.KindCancelled)
		care, err := b.db.SystemLog().Channels(t.Context(), txsubmit.NetworkID(b.net.Passphrase()), b.key.Address())
		b.must(err)
		aside := 0
		for _, c := range care {
			if !c.QuarantinedUntil.IsZero() && c.Open == 1 {
				aside++
			}
		}
		if aside != 1 {
			t.Errorf("%+v", care)
		}
		b.net.Faults().HoldQueue(false)
		// The next run of the same tenant sends the same transaction, whichever account
		// it leases.
		b.deploy(d, run)
		b.deployAll(4, d)
		b.wantChannelBooksToMatch(6, d)
	})

	t.Run("RecreatesChannelsAfterNetworkReset", func(t *testing.T) {
		b := setup(t)
		b.deployAll(2, b.deployer(channels(2)))
		b.reset()
		d := b.deployer(channels(2), func(o *soroban.Options) { o.Clock = hurried{began: time.Now()} })
		if ledgers := b.deployAll(2, d); len(ledgers) == 0 {
			t.Error("nothing was deployed")
		}
		if got := b.count(); got["FUND SUCCEEDED"] != 2 {
			t.Errorf("%v", got)
		}
	})
}

// drain removes all but that many stroops from a channel.
func (b *testBundle) drain(index int, leave int64) {
	b.t.Helper()
	key := b.channelKey(index)
	b.foreignBy(key, payment(b.key.Address(), int64(b.accountOf(key.Address()).Balance)-leave-100))
	// The transaction log only learns that the sequence number must be read.
	b.registry.SetSequence(0, index)
}
