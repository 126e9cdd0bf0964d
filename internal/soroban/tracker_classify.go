package soroban

import (
	"context"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// classify says what an answer about the transaction means. Not found means expired only
// when a ledger has closed after the transaction's last moment, and the server still
// remembers every ledger in which it could have been.
func (t *txTracker) classify(ctx context.Context, got protocol.GetTransactionResponse) (txEvent, error) {
	if event, found, err := t.found(got); found || err != nil {
		return event, err
	}
	remembered := got.OldestLedger <= t.tx.SubmittedLedger
	expired := got.LatestLedgerCloseTime > t.tx.ValidUntil.Unix()
	switch {
	case remembered && expired:
		return t.expire(), nil
	case remembered && !t.refusedForSequence():
		return queryNotFound, nil
	}
	return t.classifyByLedger(ctx, got, remembered, expired)
}

// classifyByLedger decides where the transaction's own record is no help: either
// the server no longer remembers the ledgers in which it could have been, as
// after a restart or days of silence, or its sequence number was refused although
// it is not known itself. The account tells whether the number is used up; if it is
// not, the transaction was not applied.
func (t *txTracker) classifyByLedger(ctx context.Context, got protocol.GetTransactionResponse, remembered, expired bool) (txEvent, error) {
	v, err := t.d.readView(ctx, t.contract, t.source)
	if err != nil {
		return queryLost, t.fault(err)
	}
	used := v.sequence() >= t.tx.Sequence
	switch {
	case v.ledger < got.LatestLedger: // Another server, further behind.
		return queryNotFound, nil
	case used && remembered:
		return t.confirmSuperseded(ctx, v)
	case used:
		// The number is gone, so nothing more can come of it; whether it was this
		// transaction that took it shows only in what it was to bring about.
		return t.classifyByEffect(v), nil
	case expired:
		return t.expire(), nil
	}
	return queryNotFound, nil
}

// confirmSuperseded makes sure that another transaction took the number: this one must
// be unknown also to a server that has seen the number used.
func (t *txTracker) confirmSuperseded(ctx context.Context, v ledgerView) (txEvent, error) {
	got, err := t.d.rpc.transaction(ctx, t.tx.Hash)
	if err != nil {
		return queryLost, t.fault(err)
	}
	if event, found, err := t.found(got); found || err != nil {
		return event, err
	}
	if got.OldestLedger > t.tx.SubmittedLedger || got.LatestLedger < v.ledger {
		return queryNotFound, nil
	}
	return querySuperseded, nil
}

// found takes in the result of a transaction that is in a ledger.
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

// classifyByEffect decides about a transaction whose number is used and whose record is
// gone. Where one read does not show that, it counts as applied: the session that it was for
// reads the ledger anyway, and does again what is missing there.
func (t *txTracker) classifyByEffect(v ledgerView) txEvent {
	seen := txResult{Outcome: txlog.Outcome{
		State: txlog.StateSucceeded, Detail: "its record is gone from the server; the ledger shows its effect",
	}}
	there := v.instance
	switch t.tx.Purpose {
	case txlog.PurposeCreate:
	case txlog.PurposeUpload:
		there = v.code
	case txlog.PurposeRestore:
		if t.tx.ContractID == "" {
			there = v.code
		}
	case txlog.PurposeExtend, txlog.PurposeFund, txlog.PurposeStatus, txlog.PurposeAnchor, txlog.PurposeUpgrade:
		seen.Detail = "its record is gone from the server; its number is used"
		t.result = seen
		return queryEffectSeen
	}
	switch unmet := there == missing || there == archived && t.tx.Purpose == txlog.PurposeRestore; {
	case !unmet:
		t.result = seen
		return queryEffectSeen
	case t.refusedForSequence(): // Another one took the number; the result is the refusal.
		return querySuperseded
	default:
		t.result = txResult{Outcome: txlog.Outcome{
			State: txlog.StateFailed, Detail: "its record is gone from the server; the ledger shows no effect of it",
		}}
		return queryEffectUnmet
	}
}

// refusedForSequence reports whether the network refused the sequence number.
func (t *txTracker) refusedForSequence() bool {
	return t.state == stateRefused && t.result.code == xdr.TransactionResultCodeTxBadSeq
}

// expire is the event of a transaction that was never applied and never can be. A
// refusal on the way stays its reason.
func (t *txTracker) expire() txEvent {
	if t.state != stateRefused {
		t.result = txResult{}
	}
	t.result.State = txlog.StateExpired
	return queryExpired
}
