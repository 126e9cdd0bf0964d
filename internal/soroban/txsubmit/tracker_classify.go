package txsubmit

import (
	"context"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/ledger"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// classify turns a query's response into an event. Not found means expired only when a
// ledger has closed after the end of the transaction's validity, and the server still
// has every ledger in which it could have been.
func (t *txTracker) classify(ctx context.Context, got protocol.GetTransactionResponse) (txEvent, error) {
	if event, found, err := t.found(got); found || err != nil {
		return event, err
	}
	inRetention := got.OldestLedger <= t.tx.SubmittedLedger
	expired := got.LatestLedgerCloseTime > t.tx.ValidUntil.Unix()
	switch {
	case inRetention && expired:
		return t.expire(), nil
	case inRetention && !t.refusedForSequence():
		return queryNotFound, nil
	}
	return t.classifyByLedger(ctx, got, inRetention, expired)
}

// classifyByLedger decides when the transaction's record does not help: the server no
// longer has the ledgers in which it could have been, as after a restart or days without
// a query, or its sequence number was rejected although the transaction is unknown. The
// account shows whether the sequence number is used; if not, the transaction was not
// applied.
func (t *txTracker) classifyByLedger(ctx context.Context, got protocol.GetTransactionResponse, inRetention, expired bool) (txEvent, error) {
	v, err := t.reader.View(ctx, t.code, t.contract, t.source)
	if err != nil {
		return queryLost, t.fault(err)
	}
	used := v.Sequence() >= t.tx.Sequence
	switch {
	case v.Ledger < got.LatestLedger: // A server that is further behind.
		return queryNotFound, nil
	case used && inRetention:
		return t.confirmSuperseded(ctx, v)
	case used:
		// The sequence number is used, so the transaction cannot be applied any more;
		// only its intended effect shows whether it was.
		return t.classifyByEffect(v), nil
	case expired:
		return t.expire(), nil
	}
	return queryNotFound, nil
}

// confirmSuperseded makes sure that another transaction used the sequence number: this
// one must also be unknown to a server that has seen the number used.
func (t *txTracker) confirmSuperseded(ctx context.Context, v ledger.View) (txEvent, error) {
	got, err := t.client.Transaction(ctx, t.tx.Hash)
	if err != nil {
		return queryLost, t.fault(err)
	}
	if event, found, err := t.found(got); found || err != nil {
		return event, err
	}
	if got.OldestLedger > t.tx.SubmittedLedger || got.LatestLedger < v.Ledger {
		return queryNotFound, nil
	}
	return querySuperseded, nil
}

// found records the result of a transaction that is in a ledger.
func (t *txTracker) found(got protocol.GetTransactionResponse) (event txEvent, found bool, err error) {
	switch got.Status {
	case protocol.TransactionStatusSuccess:
		event = querySucceeded
	case protocol.TransactionStatusFailed:
		event = queryFailed
	default:
		return queryNotFound, false, nil
	}
	t.result, err = appliedResult(got)
	return event, true, err
}

// classifyByEffect decides about a transaction whose sequence number is used and whose
// record is gone. When one read is not enough, it counts as applied: its session reads
// the ledger anyway, and repeats what is missing.
func (t *txTracker) classifyByEffect(v ledger.View) txEvent {
	succeeded := txResult{Outcome: txlog.Outcome{
		State: txlog.StateSucceeded, Detail: "its record is gone from the server; the ledger shows its effect",
	}}
	entry := v.Instance
	switch t.tx.Purpose {
	case txlog.PurposeCreate:
	case txlog.PurposeUpload:
		entry = v.Code
	case txlog.PurposeRestore:
		if t.tx.ContractID == "" {
			entry = v.Code
		}
	case txlog.PurposeExtend, txlog.PurposeFund, txlog.PurposeStatus, txlog.PurposeAnchor, txlog.PurposeUpgrade:
		succeeded.Detail = "its record is gone from the server; its number is used"
		t.result = succeeded
		return queryEffectSeen
	}
	switch noEffect := entry == ledger.Missing || entry == ledger.Archived && t.tx.Purpose == txlog.PurposeRestore; {
	case !noEffect:
		t.result = succeeded
		return queryEffectSeen
	case t.refusedForSequence(): // Another transaction used the number; the result is the rejection.
		return querySuperseded
	default:
		t.result = txResult{Outcome: txlog.Outcome{
			State: txlog.StateFailed, Detail: "its record is gone from the server; the ledger shows no effect of it",
		}}
		return queryEffectMissing
	}
}

// refusedForSequence reports whether the network rejected the sequence number.
func (t *txTracker) refusedForSequence() bool {
	return t.state == stateRefused && t.result.code == xdr.TransactionResultCodeTxBadSeq
}

// expire is the event of a transaction that was never applied and never can be. An
// earlier rejection stays its reason.
func (t *txTracker) expire() txEvent {
	if t.state != stateRefused {
		t.result = txResult{}
	}
	t.result.State = txlog.StateExpired
	return queryExpired
}
