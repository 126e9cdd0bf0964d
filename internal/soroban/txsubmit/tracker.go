package txsubmit

import (
	"context"
	"time"

	"github.com/stellar/go-stellar-sdk/protocols/stellarcore"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/ledger"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

const (
	// maxFaults is how many consecutive calls may fail before the run ends and leaves the
	// transaction unresolved for the next run. With the pauses between them that takes
	// about twenty seconds.
	maxFaults = 7
	// resubmitAfter is how many ledgers an accepted transaction may wait: after that
	// stellar-core drops it from the queue.
	resubmitAfter = 4
	// bumpAfter is how many ledgers an accepted transaction waits before its fee is
	// bumped.
	bumpAfter = 3
	// queryEvery is the number of ledgers, and queryInterval the time, after which the
	// transaction is queried although its sequence number is not used: it may have
	// expired.
	queryEvery    = 3
	queryInterval = 10 * time.Second
	// stallTimeout is how long the network may close no ledger before the wait fails.
	stallTimeout = 3 * time.Minute
)

// txTracker follows one stored transaction until its result is known. It sends only the
// stored bytes; the network applies them once at most. The table of transitions decides
// the next action.
type txTracker struct {
	client   *rpc.Client
	reader   *ledger.Reader
	clock    clock.Clock
	code     xdr.Hash
	tx       txlog.Transaction
	source   xdr.AccountId  // The account of the sequence number.
	contract xdr.ContractId // The transaction's contract; zero: no single contract.
	// feeBump stores a fee bump that pays at least minFee stroops, and returns the
	// transaction with it; nil when the ceiling allows no higher bid. A nil func: not
	// allowed.
	feeBump func(ctx context.Context, tx txlog.Transaction, minFee int64) (*txlog.Transaction, error)

	state  txState
	result txResult // In a final state; in stateRefused the rejection.

	unbumped string // In the bump states: the envelope before the newest fee bump.
	minFee   int64  // The minimum that the network required when it rejected a fee bump; 0: none.

	deferred int   // Consecutive sends that were not accepted.
	faults   int   // Consecutive failed calls,
	cause    error // and the error of the last one.
	backoff  *rpc.Backoff

	acceptedIn   uint32 // The latest ledger when the network accepted it.
	latestLedger uint32 // The latest ledger of any response.
	queriedIn    uint32 // The latest ledger at the last query,
	queriedAt    time.Time
	stall        stallDetector
}

// newTracker follows a transaction from a state on: stateDrafted for one that was just
// stored, stateUnknown for one that an earlier run left open.
func (s *Submitter) newTracker(tx txlog.Transaction, state txState) (*txTracker, error) {
	source, err := registryAccount("stellar_transactions.source", tx.Source)
	if err != nil {
		return nil, err
	}
	contract, err := registryContract("stellar_transactions.contract_id", tx.ContractID)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	return &txTracker{
		client: s.client, reader: s.reader, clock: s.clock, code: s.settings.Code, tx: tx, source: source, contract: contract, state: state,
		backoff: s.client.NewBackoff(), queriedAt: now, stall: stallDetector{since: now},
	}, nil
}

// track repeats action and event until the result is known, starting with action. On
// error the result is unknown and the transaction stays unresolved in the transaction log.
func (t *txTracker) track(ctx context.Context, action txAction) (txResult, error) {
	for action != actStop {
		var (
			event txEvent
			err   error
		)
		switch action {
		case actSend:
			event, err = t.send(ctx)
		case actWait:
			event, err = t.wait(ctx)
		case actQuery:
			event, err = t.query(ctx)
		case actBump:
			event, err = t.bump(ctx)
		default:
			event = t.due()
		}
		if err != nil {
			return txResult{}, err
		}
		step, err := t.state.after(event)
		if err != nil {
			return txResult{}, err
		}
		t.state, action = step.next, step.action
	}
	return t.result, nil
}

// send sends the transaction once.
func (t *txTracker) send(ctx context.Context) (txEvent, error) {
	got, err := t.client.Send(ctx, t.tx.Envelope)
	if err != nil {
		return t.sendFailed(err)
	}
	t.answered()
	switch got.Status {
	case stellarcore.TXStatusPending, stellarcore.TXStatusDuplicate:
		t.accepted(got.LatestLedger)
		t.queriedIn = max(t.queriedIn, got.LatestLedger)
		return sendAccepted, nil
	case stellarcore.TXStatusError:
		result, err := rejectedResult(got)
		if err != nil {
			return 0, err
		}
		if t.state == stateBumpDrafted || t.state == stateBumpPending {
			t.revertFeeBump(result, got.LatestLedger)
		} else {
			t.result = result
		}
		return sendRefused, nil
	default:
		t.deferred++
		return sendDeferred, nil
	}
}

// sendFailed classifies a send without a usable response. The server may have forwarded
// the transaction before the response was lost.
func (t *txTracker) sendFailed(err error) (txEvent, error) {
	if rpc.IsInvalidParams(err) {
		t.result = txResult{err: err, Outcome: txlog.Outcome{
			State: txlog.StateRejected, Detail: "the server cannot decode it",
		}}
		return sendUnreadable, nil
	}
	t.deferred++
	return sendLost, t.fault(err)
}

// revertFeeBump returns to the transaction without its newest fee bump: the network
// accepted that one, and it may still be queued. When the bid was too low, the next bid
// is what the network required; otherwise no other bid follows.
func (t *txTracker) revertFeeBump(refused txResult, ledger uint32) {
	t.tx.Envelope, t.unbumped = t.unbumped, ""
	t.accepted(ledger)
	if refused.code == xdr.TransactionResultCodeTxInsufficientFee && refused.minFee > t.tx.MaxFee {
		t.minFee = refused.minFee
	} else {
		t.feeBump = nil
	}
}

// accepted records that the network has the transaction, as of a ledger.
func (t *txTracker) accepted(ledger uint32) {
	t.acceptedIn, t.deferred = max(ledger, t.latestLedger, 1), 0
}

// due decides what an accepted but not yet applied transaction needs.
func (t *txTracker) due() txEvent {
	switch {
	case t.feeBump != nil && (t.minFee != 0 || t.passed(t.acceptedIn) >= bumpAfter):
		return dueBump
	case t.passed(t.acceptedIn) >= resubmitAfter:
		return dueResubmit
	}
	return dueNothing
}

// passed is how many ledgers have closed since one. Servers name any number, so it is not
// computed with sums, which overflow.
func (t *txTracker) passed(since uint32) uint32 { return t.latestLedger - min(since, t.latestLedger) }

// bump stores a fee bump, which is sent next.
func (t *txTracker) bump(ctx context.Context) (txEvent, error) {
	bumped, err := t.feeBump(ctx, t.tx, t.minFee)
	if err != nil {
		return 0, err
	}
	t.minFee = 0
	if bumped == nil {
		t.feeBump = nil
		return bumpImpossible, nil
	}
	t.unbumped, t.tx = t.tx.Envelope, *bumped
	return bumpStored, nil
}

// wait pauses: after a failed call with a growing delay, otherwise for one poll, which
// reads the source account. Concurrent waits share one read. The transaction is queried
// when its sequence number is used, and at intervals.
func (t *txTracker) wait(ctx context.Context) (txEvent, error) {
	if t.deferred+t.faults > 0 {
		return waitOver, t.backoff.Wait(ctx, t.cause)
	}
	t.backoff.Reset()
	account, latest, err := t.reader.PollAccount(ctx, t.source)
	if err != nil {
		return waitLost, t.fault(err)
	}
	t.latestLedger = max(t.latestLedger, latest)
	used := account != nil && int64(account.SeqNum) >= t.tx.Sequence
	if used || t.state == stateRefused || t.passed(t.queriedIn) >= queryEvery || t.clock.Now().Sub(t.queriedAt) >= queryInterval {
		return waitOver, nil
	}
	return waitIdle, nil
}

// query queries the transaction, and reads the ledger when the response is not
// conclusive.
func (t *txTracker) query(ctx context.Context) (txEvent, error) {
	got, err := t.client.Transaction(ctx, t.tx.Hash)
	if err != nil {
		return queryLost, t.fault(err)
	}
	t.answered()
	t.latestLedger = max(t.latestLedger, got.LatestLedger)
	t.queriedIn, t.queriedAt = t.latestLedger, t.clock.Now()
	event, err := t.classify(ctx, got)
	if err == nil && (event == queryNotFound || event == queryLost) {
		err = t.stall.observe(got.LatestLedger, t.queriedAt)
	}
	return event, err
}

// answered records that the server answers.
func (t *txTracker) answered() { t.faults, t.cause = 0, nil }

// fault counts a failed call, and returns its error when there were too many.
func (t *txTracker) fault(err error) error {
	t.faults++
	t.cause = err
	if t.faults > maxFaults || errs.KindOf(err) != errs.KindTransient {
		return err
	}
	return nil
}

// stallDetector detects that the network closes no ledgers.
type stallDetector struct {
	ledger uint32
	since  time.Time
}

// observe records the latest ledger of a response. It returns KindTransient when the
// ledger has been the same for stallTimeout.
func (s *stallDetector) observe(ledger uint32, now time.Time) error {
	if ledger != s.ledger {
		s.ledger, s.since = ledger, now
	}
	if now.Sub(s.since) < stallTimeout {
		return nil
	}
	return errs.Errorf(errs.KindTransient, "wait for transaction",
		"the network, or the server's copy of it, has stopped at ledger %d; the next run checks the transaction's result", ledger)
}
