package stellarnet_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
)

func (b *fixture) closeLedgers(count uint32) uint32 {
	b.t.Helper()
	seq, err := b.net.CloseLedgers(b.ctx, count)
	b.must(err)
	return seq
}

func (b *fixture) health() protocol.GetHealthResponse {
	b.t.Helper()
	health, err := b.client.GetHealth(b.ctx)
	b.must(err)
	return health
}

func TestNetwork_CloseLedgers(t *testing.T) {
	t.Parallel()
	expected := func(o *stellarnet.Options) { o.LedgerClose = 5 * time.Second }

	t.Run("ClosesMillionsQuickly", func(t *testing.T) {
		t.Parallel()
		b := setup(t, expected)
		before, started := b.health(), time.Now()
		seq := b.closeLedgers(3_000_000)
		if elapsed := time.Since(started); elapsed > time.Minute { // One by one they would take hours.
			t.Errorf("took %s", elapsed)
		}
		after := b.health()
		if seq != before.LatestLedger+3_000_000 || after.LatestLedger != seq ||
			after.LatestLedgerCloseTime != before.LatestLedgerCloseTime { // The clock of the fixture stands still.
			t.Errorf("from %+v to %+v", before, after)
		}
		window := uint32(stellarnet.DefaultRetention)
		if after.OldestLedger != seq-window+1 || after.OldestLedgerCloseTime != after.LatestLedgerCloseTime {
			t.Errorf("window: %+v", after)
		}
		if next := b.closeLedger(); next != seq+1 {
			t.Errorf("ledger %d follows %d", next, seq)
		}
	})

	t.Run("AdvancesOneByOne", func(t *testing.T) {
		t.Parallel()
		b := setup(t, expected, func(o *stellarnet.Options) { o.Retention = 5 })
		built := b.build(tx{ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
		paid := b.sendAndApply(built)
		b.wantSuccess(paid)
		b.closeLedgers(4)
		b.wantSuccess(b.getTransaction(built))
		b.closeLedgers(1)
		if got := b.getTransaction(built); got.Status != protocol.TransactionStatusNotFound || got.OldestLedger != paid.Ledger+1 {
			t.Errorf("got %s, oldest ledger %d", got.Status, got.OldestLedger)
		}
	})

	t.Run("LifetimesEnd", func(t *testing.T) {
		t.Parallel()
		b := setup(t, expected)
		id := b.deploy(1)
		entry := b.entries(instanceKey(id))[0]
		latest := b.health().LatestLedger
		b.closeLedgers(*entry.LiveUntilLedgerSeq - latest)
		if got := b.entries(instanceKey(id))[0]; *got.LiveUntilLedgerSeq != *entry.LiveUntilLedgerSeq {
			t.Errorf("in its last ledger it lives until %d", *got.LiveUntilLedgerSeq)
		}
		b.closeLedgers(1)
		if got := b.entries(instanceKey(id))[0]; *got.LiveUntilLedgerSeq != 0 {
			t.Errorf("past its time it lives until %d", *got.LiveUntilLedgerSeq)
		}
		b.wantSuccess(b.runAtLedgerTime(&txnbuild.RestoreFootprint{}, footprint(nil, []xdr.LedgerKey{instanceKey(id)})))
	})

	t.Run("QueuedTransactionsGetIntoLedgers", func(t *testing.T) {
		t.Parallel()
		b := setup(t, expected)
		built := b.build(tx{ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
		b.wantStatus(b.send(built), "PENDING")
		seq := b.closeLedgers(100)
		got := b.getTransaction(built)
		b.wantSuccess(got)
		if got.Ledger != seq-99 {
			t.Errorf("in ledger %d of %d to %d", got.Ledger, seq-99, seq)
		}
	})

	t.Run("HeldTransactionsExpire", func(t *testing.T) {
		t.Parallel()
		b := setup(t, expected)
		built := b.build(tx{ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
		b.net.Faults().HoldQueue(true)
		b.wantStatus(b.send(built), "PENDING")
		b.closeLedgers(12)
		if n := b.net.Faults().QueueSize(); n != 1 {
			t.Fatalf("%d wait after its maxTime has been reached, want 1", n)
		}
		b.net.Faults().AdvanceClock(24 * time.Hour)
		b.closeLedgers(1_000_000)
		if n := b.net.Faults().QueueSize(); n != 0 {
			t.Fatalf("%d wait after a day", n)
		}
	})

	t.Run("None", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		if before, seq := b.health().LatestLedger, b.closeLedgers(0); seq != before {
			t.Errorf("from %d to %d", before, seq)
		}
	})

	t.Run("RefusesPastLastLedger", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		_, err := b.net.CloseLedgers(b.ctx, 1<<31)
		if err == nil || !strings.Contains(err.Error(), "close 2147483644 at most") {
			t.Errorf("got %v", err)
		}
	})

	t.Run("WorksWithTimer", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(o *stellarnet.Options) {
			o.Manual, o.LedgerClose, o.Now = false, 20*time.Millisecond, nil
		})
		for last, round := uint32(0), 0; round < 5; round++ {
			seq := b.closeLedgers(100_000)
			if seq < last+100_000 {
				t.Fatalf("from %d to %d", last, seq)
			}
			last = seq
		}
		if health := b.health(); health.LatestLedger < 500_000 {
			t.Errorf("health %+v", health)
		}
	})
}

// runAtLedgerTime runs a transaction that is signed for the time of the latest ledger,
// which is ahead of the clock after CloseLedgers.
func (b *fixture) runAtLedgerTime(op txnbuild.Operation, data *xdr.SorobanTransactionData) protocol.GetTransactionResponse {
	b.t.Helper()
	ahead := b.health().LatestLedgerCloseTime - b.clock.Now().Unix()
	s := b.assemble(tx{ops: []txnbuild.Operation{op}, maxTime: time.Duration(ahead+60) * time.Second}, data)
	return b.runEnvelope(b.sign(s.env, b.account))
}

func TestControl_Close(t *testing.T) {
	t.Parallel()
	b := setup(t)
	post := func(t *testing.T, method, query string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(b.ctx, method, b.net.RPCURL()+"/control/close"+query, nil)
		b.must(err)
		response, err := http.DefaultClient.Do(request)
		b.must(err)
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		b.must(err)
		return response.StatusCode, string(body)
	}
	latest := b.health().LatestLedger
	for _, c := range []struct {
		query string
		more  uint32
	}{{"", 1}, {"?ledgers=1", 1}, {"?ledgers=1000000", 1_000_000}} {
		latest += c.more
		status, body := post(t, http.MethodPost, c.query)
		var answer struct{ Ledger uint32 }
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK || answer.Ledger != latest {
			t.Errorf("%q: %d %s, want ledger %d", c.query, status, body, latest)
		}
	}
	for _, c := range []struct {
		method, query string
		status        int
		says          string
	}{
		{http.MethodGet, "", http.StatusMethodNotAllowed, "use POST"},
		{http.MethodPost, "?ledgers=0", http.StatusBadRequest, "use 1 or more"},
		{http.MethodPost, "?ledgers=-1", http.StatusBadRequest, "-1"},
		{http.MethodPost, "?ledgers=many", http.StatusBadRequest, "many"},
		{http.MethodPost, "?ledgers=2147483647", http.StatusBadRequest, "too many"},
	} {
		if status, body := post(t, c.method, c.query); status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s %q: %d %s, want %d and %q", c.method, c.query, status, body, c.status, c.says)
		}
	}
	if seq := b.health().LatestLedger; seq != latest {
		t.Errorf("ledger %d after refusals, want %d", seq, latest)
	}
}
