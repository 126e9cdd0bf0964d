package txsubmit

import (
	"context"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// Outcome asks the network once for the outcome of an open transaction; known is false while it
// may still be applied. It sends nothing.
func (s *Submitter) Outcome(ctx context.Context, tx txlog.Transaction) (outcome txlog.Outcome, known bool, err error) {
	// In this state the tracker also looks whether another transaction has used the number.
	t, err := s.newTracker(tx, stateRefused)
	if err != nil {
		return txlog.Outcome{}, false, err
	}
	t.result = txResult{code: xdr.TransactionResultCodeTxBadSeq}
	event, err := t.query(ctx)
	if err != nil {
		return txlog.Outcome{}, false, err
	}
	if event == queryLost { // query repeats nothing, and returns no error before it has failed several times.
		return txlog.Outcome{}, false, t.cause
	}
	step, err := t.state.after(event)
	if err != nil || !step.next.final() {
		return txlog.Outcome{}, false, err
	}
	switch event { //nolint:exhaustive // the others have their detail
	case querySuperseded:
		t.result.State, t.result.Detail = txlog.StateExpired, "another transaction used its sequence number"
	case queryExpired:
		t.result.Detail = "it was not applied in time"
	}
	return t.result.Outcome, true, nil
}
