package soroban_test

import (
	"context"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// crash deploys for a tenant and stops at a point of the n-th transaction.
type crash struct {
	n      int
	sent   bool // After the network accepted it and closed a ledger, otherwise before the send.
	killed bool // The account is not released either.
}

// happen returns the transaction that was in flight.
func (c crash) happen(b *testBundle, run provisioning.Run) txlog.Transaction {
	b.t.Helper()
	ctx, die := context.WithCancel(b.t.Context())
	defer die()
	var last txlog.Transaction
	stored := 0
	w := watched{Log: b.db.TransactionLog(run), killed: c.killed, afterStore: func(tx txlog.Transaction) {
		last = tx
		if stored++; stored == c.n && !c.sent {
			die()
		}
	}}
	watch := &wire{after: func(method string, _ []byte) []byte {
		if method == send && stored == c.n {
			b.closeLedger()
			die()
		}
		return nil
	}}
	_, err := b.deployer(func(o *soroban.Options) { o.HTTPClient = watch.client() }).Deploy(ctx, run.Tenant, w)
	wantKind(b.t, err, errs.KindCancelled)
	return last
}

func TestDeployer_ResolvesOpenTx(t *testing.T) {
	t.Parallel()
	const (
		uploading = 1
		creating  = 2
	)

	t.Run("CrashAnywhere", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]crash{
			"CancelledBeforeUpload":   {n: uploading},
			"CancelledBeforeCreation": {n: creating},
			"CancelledAfterUpload":    {n: uploading, sent: true},
			"CancelledAfterCreation":  {n: creating, sent: true},
			"KilledBeforeUpload":      {n: uploading, killed: true},
			"KilledBeforeCreation":    {n: creating, killed: true},
			"KilledAfterUpload":       {n: uploading, sent: true, killed: true},
			"KilledAfterCreation":     {n: creating, sent: true, killed: true},
		} {
			t.Run(name, func(t *testing.T) {
				b := setup(t)
				run := b.begin()
				under := c.happen(b, run)
				if c.killed {
					run = b.restart(run)
				}
				got := b.deploy(b.deployer(), run)
				if c.n == creating && got.TransactionHash != under.Hash {
					t.Errorf("the contract is of %s, not of the transaction that was stored, %s", got.TransactionHash, under.Hash)
				}
				b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE SUCCEEDED": 1})
				b.wantBooksToMatch(1, 0, 0)
			})
		}
	})

	t.Run("TransactionOfAnotherTenant", func(t *testing.T) {
		b := setup(t)
		first := b.begin()
		crash{n: creating}.happen(b, first)
		b.deploy(b.deployer(), b.begin())
		b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE SUCCEEDED": 2})
		b.net.Faults().Reset()
		b.deploy(b.deployer(), first)
		b.wantNothingSent()
		b.wantBooksToMatch(2, 0, 0)
	})

	t.Run("ExpiredTransaction", func(t *testing.T) {
		b := setup(t)
		run := b.begin()
		crash{n: creating}.happen(b, run)
		b.expire()
		b.deploy(b.deployer(), run)
		b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE EXPIRED": 1, "CREATE SUCCEEDED": 1})
		b.wantBooksToMatch(1, 0, 0)
	})

	t.Run("UnknownToLaggingServer", func(t *testing.T) {
		b := setup(t)
		run := b.begin()
		crash{n: creating, sent: true}.happen(b, run)
		for range 6 {
			b.closeLedger() // So that the server has the account at least.
		}
		b.net.Faults().Lag(8)
		if _, err := b.deployer().Deploy(t.Context(), run.Tenant, b.db.TransactionLog(run)); err != nil {
			t.Fatal(err)
		}
		b.net.Faults().Reset()
		b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE SUCCEEDED": 1})
		b.wantBooksToMatch(1, 0, 0)
	})

	t.Run("ResolvesByLedgerWhenRecordIsGone", func(t *testing.T) {
		for _, c := range []struct {
			name  string
			crash crash
			then  func(b *testBundle)
			want  map[string]int
		}{
			{"Applied", crash{n: creating, sent: true}, func(*testBundle) {},
				map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE SUCCEEDED": 1}},
			{"UploadApplied", crash{n: uploading, sent: true}, func(*testBundle) {},
				map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE SUCCEEDED": 1}},
			{"AppliedAndExpired", crash{n: creating, sent: true}, (*testBundle).expire,
				map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE SUCCEEDED": 1}},
			{"NeverSentAndExpired", crash{n: creating}, (*testBundle).expire,
				map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE EXPIRED": 1, "CREATE SUCCEEDED": 1}},
			{"NeverSentAndAlive", crash{n: creating}, func(*testBundle) {},
				map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE SUCCEEDED": 1}},
			{"NumberTakenByAnother", crash{n: creating}, func(b *testBundle) { b.foreign(payment(b.key.Address(), 1)) },
				map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE FAILED": 1, "CREATE SUCCEEDED": 1}},
		} {
			t.Run(c.name, func(t *testing.T) {
				b := setup(t)
				run := b.begin()
				c.crash.happen(b, run)
				c.then(b)
				b.closeLedger()
				b.net.Faults().ForgetHistory()
				b.deploy(b.deployer(), run)
				b.wantCount(c.want)
			})
		}
	})

	t.Run("ForgetsTransactionsAfterNetworkReset", func(t *testing.T) {
		b := setup(t)
		run := b.begin()
		crash{n: creating}.happen(b, run)
		b.reset()
		b.deploy(b.deployer(func(o *soroban.Options) { o.Clock = hurried{began: time.Now()} }), run)
		// The last used sequence number may be rejected there, and is read again.
		if got := b.count(); got["CREATE EXPIRED"] != 1 || got["CREATE SUCCEEDED"] != 1 || got["CREATE SIGNED"] != 0 {
			t.Errorf("%v", got)
		}
	})
}

func TestDeployer_Fenced(t *testing.T) {
	t.Parallel()

	t.Run("BeforeLease", func(t *testing.T) {
		b := setup(t)
		run := b.begin()
		b.restart(run)
		b.refused(b.deployer(), run, errs.KindFenced)
		b.wantNothingSent()
		b.wantCount(map[string]int{})
	})

	t.Run("BeforeStoring", func(t *testing.T) {
		b := setup(t)
		run := b.begin()
		_, err := b.deployer().Deploy(t.Context(), run.Tenant, watched{Log: b.db.TransactionLog(run),
			beforeStore: func(txlog.Transaction) { b.restart(run) }})
		wantKind(t, err, errs.KindFenced)
		b.wantNothingSent()
		b.wantCount(map[string]int{})
	})

	t.Run("NextRunSendsStoredTransaction", func(t *testing.T) {
		b := setup(t)
		run := b.begin()
		var next provisioning.Run
		overtake := once(1, func() { next = b.restart(run) })
		_, err := b.deployer().Deploy(t.Context(), run.Tenant, watched{Log: b.db.TransactionLog(run),
			afterStore: func(txlog.Transaction) { overtake() }})
		wantKind(t, err, errs.KindFenced)
		b.deploy(b.deployer(), next)
		b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE SUCCEEDED": 1})
		b.wantBooksToMatch(1, 0, 0)
	})
}
