package soroban_test

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// TestDeployer_NetworkFaults: a response is lost, late or wrong, and there is still
// one contract, paid for once.
func TestDeployer_NetworkFaults(t *testing.T) {
	t.Parallel()
	const callTimeout = 2 * time.Second // More than a call to a real host takes on a busy machine.
	for name, strike := range map[string]func(*stellarnet.Faults){
		"SendLostBefore":       func(f *stellarnet.Faults) { f.DropBefore(send, 2) },
		"SendLostAfter":        func(f *stellarnet.Faults) { f.DropAfter(send, 1) },
		"SendLostAfterTwice":   func(f *stellarnet.Faults) { f.DropAfter(send, 2) },
		"GatewayGaveUpBefore":  func(f *stellarnet.Faults) { f.Fail(send, http.StatusBadGateway, 2) },
		"GatewayGaveUpAfter":   func(f *stellarnet.Faults) { f.FailAfter(send, http.StatusGatewayTimeout, 1) },
		"TryAgainLater":        func(f *stellarnet.Faults) { f.TryAgainLater(3) },
		"PollsAreLost":         func(f *stellarnet.Faults) { f.DropBefore(ask, 2); f.Fail(ask, http.StatusInternalServerError, 1) },
		"RequestsAreLimited":   func(f *stellarnet.Faults) { f.Fail(simulate, http.StatusTooManyRequests, 2) },
		"EachFirstCallIsLost":  func(f *stellarnet.Faults) { f.DropBefore("", 3) },
		"ReadsAreLost":         func(f *stellarnet.Faults) { f.DropAfter(entries, 2); f.DropAfter(feeStats, 1); f.DropAfter(network, 1) },
		"AnswersOutlastAWait":  func(f *stellarnet.Faults) { f.Delay(send, 2*callTimeout, 1) },
		"ServerLags":           func(f *stellarnet.Faults) { f.Lag(3) },
		"LagAndLostAfter":      func(f *stellarnet.Faults) { f.Lag(2); f.DropAfter(send, 2) },
		"TryAgainAndLostAfter": func(f *stellarnet.Faults) { f.TryAgainLater(1); f.DropAfter(send, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			for range 4 {
				b.closeLedger() // So that a lagging server has the account.
			}
			strike(b.net.Faults())
			d := b.deployer(func(o *soroban.Options) { o.HTTPClient = &http.Client{Timeout: callTimeout} })
			run := b.begin()
			if _, err := d.Deploy(t.Context(), run.Tenant, b.db.TransactionLog(run)); err != nil {
				t.Fatal(err)
			}
			b.net.Faults().Reset()
			b.deploy(d, run)
			b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE SUCCEEDED": 1})
			b.wantBooksToMatch(1, 0, 0)
		})
	}
}

func TestDeployer_HandlesResults(t *testing.T) {
	t.Parallel()

	// deployWatched deploys with hooks and expects success.
	deployWatched := func(b *testBundle, w watched, change ...func(*soroban.Options)) (provisioning.Run, contracts.Contract) {
		b.t.Helper()
		run := b.begin()
		w.Log = b.db.TransactionLog(run)
		c, err := b.deployer(change...).Deploy(b.t.Context(), run.Tenant, w)
		b.must(err)
		b.wantContract(run, c)
		return run, c
	}

	t.Run("RetriesTransactionExpiredInQueue", func(t *testing.T) {
		b := setup(t)
		b.deploy(b.deployer(), b.begin())
		b.net.Faults().HoldQueue(true)
		stored := 0
		watch := &wire{after: func(method string, _ []byte) []byte {
			if method == send && b.net.Faults().QueueSize() > 0 && stored == 1 {
				b.expire()
			}
			return nil
		}}
		deployWatched(b, watched{beforeStore: func(txlog.Transaction) {
			if stored++; stored == 2 {
				b.net.Faults().HoldQueue(false)
			}
		}}, func(o *soroban.Options) { o.HTTPClient = watch.client() })
		b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE EXPIRED": 1, "CREATE SUCCEEDED": 2})
		b.wantBooksToMatch(2, 0, 0)
	})

	t.Run("RetriesTooLateTransaction", func(t *testing.T) {
		b := setup(t)
		expire := once(1, b.expire)
		deployWatched(b, watched{afterStore: func(txlog.Transaction) { expire() }})
		counts := b.count()
		if counts["UPLOAD REJECTED"] == 0 || counts["CREATE SUCCEEDED"] != 1 {
			t.Errorf("%v", counts)
		}
		b.wantBooksToMatch(1, 0, 0)
	})

	t.Run("RecoversFromForeignSequenceNumber", func(t *testing.T) {
		b := setup(t)
		cost := int64(0)
		steal := once(2, func() { cost = b.foreign(payment(b.key.Address(), 1)) })
		deployWatched(b, watched{afterStore: func(txlog.Transaction) { steal() }})
		b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE REJECTED": 1, "CREATE SUCCEEDED": 1})
		b.wantBooksToMatch(1, 1, cost)
	})

	t.Run("RecoversFromForeignSequenceNumberAfterLostSend", func(t *testing.T) {
		b := setup(t)
		cost := int64(0)
		var sends atomic.Int32 // Since the one that is lost.
		lose := once(2, func() {
			sends.Store(0) // The upload may have been sent twice.
			b.net.Faults().DropBefore(send, 1)
		})
		w := &wire{before: on(send, func() {
			if sends.Add(1) == 2 && b.count()["CREATE SIGNED"] == 1 { // The lost one, this one.
				cost = b.foreign(payment(b.key.Address(), 1))
			}
		})}
		deployWatched(b, watched{afterStore: func(txlog.Transaction) { lose() }},
			func(o *soroban.Options) { o.HTTPClient = w.client() })
		b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE REJECTED": 1, "CREATE SUCCEEDED": 1})
		b.wantBooksToMatch(1, 1, cost)
	})

	t.Run("AcceptsContractCreatedByAnother", func(t *testing.T) {
		for name, moment := range map[string]string{"BeforeSimulation": simulate, "BeforeSending": send} {
			t.Run(name, func(t *testing.T) {
				b := setup(t)
				b.deploy(b.deployer(), b.begin())
				run := b.begin()
				w := &wire{before: on(moment, once(1, func() { b.foreign(b.rightCreation(run)) }))}
				c, err := b.deployer(func(o *soroban.Options) { o.HTTPClient = w.client() }).Deploy(t.Context(), run.Tenant, b.db.TransactionLog(run))
				b.must(err)
				b.wantContract(run, c)
				if c.TransactionHash != "" {
					t.Errorf("%+v", c)
				}
			})
		}
	})

	t.Run("RebuildsFailedTransaction", func(t *testing.T) {
		// By then the code is archived and the simulated resources are too small.
		b := setup(t)
		b.deploy(b.deployer(), b.begin())
		w := &wire{before: on(send, once(1, func() { b.must(b.net.Faults().ExpireEntry(codeKey())) }))}
		deployWatched(b, watched{}, func(o *soroban.Options) { o.HTTPClient = w.client() })
		b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE FAILED": 1, "RESTORE SUCCEEDED": 1, "CREATE SUCCEEDED": 2})
		b.wantBooksToMatch(2, 0, 0)
	})

	t.Run("RestoresCodeArchivedAfterRead", func(t *testing.T) {
		// The creation would restore it too, at a price above its ceiling.
		b := setup(t)
		b.deploy(b.deployer(), b.begin())
		w := &wire{before: on(simulate, once(1, func() { b.must(b.net.Faults().ExpireEntry(codeKey())) }))}
		deployWatched(b, watched{}, func(o *soroban.Options) { o.HTTPClient = w.client() })
		b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "RESTORE SUCCEEDED": 1, "CREATE SUCCEEDED": 2})
		b.wantBooksToMatch(2, 0, 0)
	})

	t.Run("WaitsForServerBehindTransactionLog", func(t *testing.T) {
		b := setup(t)
		for range 8 {
			b.closeLedger() // So that the server has the account at least.
		}
		run, _ := deployWatched(b, watched{})
		b.net.Faults().Reset()
		b.net.Faults().Lag(6)
		if _, err := b.deployer().Deploy(t.Context(), run.Tenant, b.db.TransactionLog(run)); err != nil {
			t.Fatal(err)
		}
		b.wantNothingSent()
		b.net.Faults().Reset()
		b.wantBooksToMatch(1, 0, 0)
	})

	t.Run("ResubmitsDroppedTransaction", func(t *testing.T) {
		b := setup(t)
		forget := &refuser{status: "PENDING", code: xdr.TransactionResultCodeTxInternalError, left: 1}
		deployWatched(b, watched{}, func(o *soroban.Options) { o.HTTPClient = forget.client() })
		b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE SUCCEEDED": 1})
		b.wantBooksToMatch(1, 0, 0)
	})

	t.Run("FailsWhenNetworkStalls", func(t *testing.T) {
		b := setup(t)
		var still []byte
		w := &wire{after: func(method string, answer []byte) []byte {
			if method == ask && still == nil {
				still = answer
			}
			if method == ask {
				return still
			}
			return nil
		}}
		run := b.begin()
		d := b.deployer(func(o *soroban.Options) { o.HTTPClient, o.Clock = w.client(), hurried{began: time.Now()} })
		b.refused(d, run, errs.KindTransient, "has stopped at ledger")
		b.deploy(b.deployer(), run)
		b.wantBooksToMatch(1, 0, 0)
	})

	t.Run("RaisesTooLowFee", func(t *testing.T) {
		b := setup(t)
		var fees []int64
		refuse := answering(xdr.TransactionResultCodeTxInsufficientFee, 5000, 2)
		_, c := deployWatched(b, watched{afterStore: func(tx txlog.Transaction) { fees = append(fees, tx.MaxFee) }},
			func(o *soroban.Options) { o.HTTPClient = refuse.client() })
		if len(fees) != 4 || fees[1] != fees[0]+100 || fees[2] != fees[0]+300 || c.TransactionHash == "" {
			t.Errorf("%v", fees)
		}
	})

	t.Run("DoesNotBidAboveCeiling", func(t *testing.T) {
		b := setup(t)
		refuse := answering(xdr.TransactionResultCodeTxInsufficientFee, 2_000_000_000, 100)
		d := b.deployer(func(o *soroban.Options) { o.HTTPClient = refuse.client() })
		b.refused(d, b.begin(), errs.KindPermanent, "the upload of the contract's code", "above the ceiling of 100 XLM", "SOROBAN_MAX_UPLOAD_FEE", "2000000000")
	})

	t.Run("FailsWhenNetworkAcceptsNothing", func(t *testing.T) {
		b := setup(t)
		refuse := answering(xdr.TransactionResultCodeTxInternalError, 0, 1000)
		d := b.deployer(func(o *soroban.Options) { o.HTTPClient = refuse.client() })
		b.refused(d, b.begin(), errs.KindTransient, "txINTERNAL_ERROR", "in 5 tries")
	})

	t.Run("RestoresArchivedContract", func(t *testing.T) {
		b := setup(t)
		run := b.begin()
		first := b.deploy(b.deployer(), run)
		b.must(b.net.Faults().ExpireContract(first.ID))
		b.must(b.net.Faults().ExpireEntry(codeKey()))
		again := b.deploy(b.deployer(), run)
		if again.ID != first.ID || again.TransactionHash != "" || again.FeeCharged == 0 {
			t.Errorf("%+v", again)
		}
		b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE SUCCEEDED": 1, "RESTORE SUCCEEDED": 2})
		b.wantBooksToMatch(1, 0, 0)
	})

	t.Run("RestoresCodeForNextTenant", func(t *testing.T) {
		b := setup(t)
		b.deploy(b.deployer(), b.begin())
		b.must(b.net.Faults().ExpireEntry(codeKey()))
		b.deploy(b.deployer(), b.begin())
		b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE SUCCEEDED": 2, "RESTORE SUCCEEDED": 1})
		b.wantBooksToMatch(2, 0, 0)
	})

	t.Run("WaitsForServerToReturn", func(t *testing.T) {
		b := setup(t)
		clock := &sleeper{}
		down := once(1, func() {
			b.must(b.net.Faults().Down())
			clock.after(3, func() { b.must(b.net.Faults().Up()) })
		})
		deployWatched(b, watched{afterStore: func(txlog.Transaction) { down() }},
			func(o *soroban.Options) { o.Clock = clock })
		b.wantBooksToMatch(1, 0, 0)
	})

	t.Run("LeavesTransactionToNextRun", func(t *testing.T) {
		b := setup(t)
		run := b.begin()
		down := once(1, func() { b.must(b.net.Faults().Down()) })
		_, err := b.deployer().Deploy(t.Context(), run.Tenant, watched{Log: b.db.TransactionLog(run),
			afterStore: func(txlog.Transaction) { down() }})
		wantKind(t, err, errs.KindTransient)
		b.wantCount(map[string]int{"UPLOAD SIGNED": 1})
		b.must(b.net.Faults().Up())
		b.deploy(b.deployer(), run)
		b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE SUCCEEDED": 1})
		b.wantBooksToMatch(1, 0, 0)
	})
}

func TestDeployer_Concurrent(t *testing.T) {
	b := setup(t)
	d := b.deployer()
	const tenants = 6
	runs := make([]provisioning.Run, tenants)
	for i := range runs {
		runs[i] = b.begin()
	}
	var wg sync.WaitGroup
	for i, run := range runs {
		d := d // Half of them are other processes.
		if i%2 == 1 {
			d = b.deployer()
		}
		wg.Go(func() {
			if _, err := d.Deploy(t.Context(), run.Tenant, b.db.TransactionLog(run)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, run := range runs {
		b.deploy(d, run)
	}
	if hash := contract.Hash(); len(b.ledger(codeKey())) != 1 {
		t.Errorf("no code %x", hash)
	}
	b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE SUCCEEDED": tenants})
	b.wantBooksToMatch(tenants, 0, 0)
}

// answering replaces the responses to the first n sends by a rejection; the network does
// not get these transactions.
func answering(code xdr.TransactionResultCode, fee int64, n int) *refuser {
	return &refuser{status: "ERROR", code: code, fee: fee, left: n}
}

type refuser struct {
	mu     sync.Mutex
	status string
	code   xdr.TransactionResultCode
	fee    int64
	left   int
}

func (r *refuser) client() *http.Client { return &http.Client{Transport: r} }

func (r *refuser) RoundTrip(q *http.Request) (*http.Response, error) {
	var method struct {
		Method string `json:"method"`
	}
	body, err := q.GetBody()
	if err != nil {
		return nil, err
	}
	if err := json.NewDecoder(body).Decode(&method); err != nil {
		return nil, err
	}
	r.mu.Lock()
	strike := method.Method == send && r.left > 0
	if strike {
		r.left--
	}
	r.mu.Unlock()
	if !strike {
		return http.DefaultTransport.RoundTrip(q)
	}
	encoded, err := xdr.MarshalBase64(xdr.TransactionResult{FeeCharged: xdr.Int64(r.fee), Result: xdr.TransactionResultResult{Code: r.code}})
	if err != nil {
		return nil, err
	}
	return jsonAnswer(protocol.SendTransactionResponse{Status: r.status, ErrorResultXDR: encoded, LatestLedger: 1})
}
