package soroban

import (
	"context"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// How often a deployment tries again before it leaves that to the pipeline, or
// gives up. What costs a fee each time has the smallest number.
const (
	maxTries    = 4
	maxFailures = 1
	maxPuzzles  = 3
)

// attempt is an act with the transaction that was made of it, and its end.
type attempt struct {
	act      *act
	tx       txlog.Transaction
	end      ending
	resource int64
	carrier  *carrier
	account  *xdr.AccountEntry // The carrier as it was looked at; nil: it was not.
}

// react decides what the end of a transaction means for the work: nil for
// another round, an error for the end.
func (w *work) react(ctx context.Context, at attempt) error {
	switch at.end.State { //nolint:exhaustive // the others did nothing
	case txlog.StateSucceeded:
		w.floor = 0
		return nil
	case txlog.StateFailed:
		return w.failed(at)
	}
	if err := w.hopeless(ctx, at); err != nil {
		return err
	}
	if at.end.code == xdr.TransactionResultCodeTxInsufficientFee {
		w.floor = raise(at.tx, at.resource, at.end.asked)
		w.fees.drop()
	}
	if w.tries++; w.tries > maxTries {
		return errs.Errorf(errs.KindTransient, "send transaction",
			"the network did not take the transaction for %s in %d tries; %s", at.act.what, w.tries, lastWord(at.end))
	}
	return w.rpc.rest.backoff(ctx, w.tries, nil)
}

func lastWord(end ending) string {
	if end.Detail == "" {
		return "each time it expired before a ledger had room for it"
	}
	return "its last answer is " + end.Detail
}

// failed reacts to a transaction that was applied without effect. Another one is
// worth its fee once: it is simulated on what the ledger is now, and if somebody
// else created the contract meanwhile, the next look shows it and nothing is sent.
func (w *work) failed(at attempt) error {
	if w.failures++; w.failures <= maxFailures {
		return nil
	}
	kind, advice := errs.KindPermanent, "look it up by its hash"
	if at.end.tooScarce() {
		kind, advice = errs.KindTransient, "the network's state changed between simulation and execution"
	}
	return errs.Errorf(kind, "apply transaction", "%s failed on the ledger with %s, at a fee of %s (transaction %s); %s",
		at.act.what, at.end.Detail, xlm(at.end.FeeCharged), at.tx.Hash, advice)
}

// hopeless gives the error for refusals that another try would meet again. When
// it is a channel that is at fault, another one is tried and this one is out of
// use.
func (w *work) hopeless(ctx context.Context, at attempt) error {
	end := at.end
	refuse := func(format string, args ...any) error {
		return errs.Wrap(end.err, errs.KindPermanent, "send transaction", format, args...)
	}
	badKey := func() error {
		return refuse("the account %s does not accept the signature of its own key (%s); its signers or thresholds were changed, "+
			"give SOROBAN_CONTRACT_DEPLOYER_SECRET of an account that one key controls", w.Address(), end.Detail)
	}
	if at.carrier.outOfUse != "" {
		return nil
	}
	switch end.code {
	case xdr.TransactionResultCodeTxInsufficientBalance:
		account, err := w.accountNow(ctx, at)
		if err != nil { // Nobody knows what it lacks, and another run is refused again.
			return err
		}
		return w.tooPoor(account, at.act.what, at.tx.MaxFee+at.act.spends)
	case xdr.TransactionResultCodeTxNoAccount:
		return w.noAccount()
	case xdr.TransactionResultCodeTxBadAuth, xdr.TransactionResultCodeTxBadAuthExtra:
		return badKey()
	case xdr.TransactionResultCodeTxBadSeq, xdr.TransactionResultCodeTxTooLate, xdr.TransactionResultCodeTxTooEarly,
		xdr.TransactionResultCodeTxInsufficientFee, xdr.TransactionResultCodeTxInternalError, xdr.TransactionResultCodeTxSorobanInvalid:
		return nil
	case xdr.TransactionResultCodeTxSuccess: // No result at all: it expired, or the server could not read it.
		if end.err == nil {
			return nil
		}
		return refuse("the Stellar RPC server cannot read the transaction; this program may be too old, or too new, for the network's protocol")
	case xdr.TransactionResultCodeTxFailed:
		switch end.opCode {
		case xdr.OperationResultCodeOpBadAuth:
			return badKey()
		case xdr.OperationResultCodeOpNoAccount:
			return w.noAccount()
		}
	}
	return refuse("the network refuses the transaction for %s with %s", at.act.what, end.Detail)
}

// accountNow looks at the account that was too poor, where that was not done before.
// Nil when it is not there.
func (w *work) accountNow(ctx context.Context, at attempt) (*xdr.AccountEntry, error) {
	if at.account != nil {
		return at.account, nil
	}
	found, _, err := w.lookUp(ctx, w.looks, accountKey(at.carrier.id))
	if err != nil {
		return nil, err
	}
	return accountOf(found[0])
}

// puzzled reacts to a simulation that fails. Often the ledger has moved since the
// look, or the server that simulates is behind the one that was asked before.
func (w *work) puzzled(ctx context.Context, a *act, fault *simulationError) error {
	if w.puzzles++; w.puzzles <= maxPuzzles {
		return w.rpc.rest.backoff(ctx, w.puzzles, nil)
	}
	if fault.err != nil {
		return fault.err
	}
	reason := "the log has the reason"
	if fault.code != "" {
		reason = "the host's error is " + fault.code
	}
	return errs.Wrap(fault, errs.KindPermanent, "simulate transaction",
		"the simulation of %s fails; %s", a.what, reason)
}
