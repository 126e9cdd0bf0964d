package soroban

import (
	"context"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// How often a deployment tries again before it leaves that to the pipeline, or
// gives up. What costs a fee each time has the smallest number.
const (
	maxTries    = 4
	maxFailures = 1
	maxPuzzles  = 3
)

// attempt is an act with the transaction that was made of it.
type attempt struct {
	act      *act
	tx       provisioning.StellarTransaction
	resource int64
	view     view // What it was built on.
}

// react decides what the end of a transaction means for the deployment: nil for
// another round, an error for the end.
func (r *deployment) react(ctx context.Context, at attempt, end ending) error {
	r.claim(at.tx, end)
	switch end.State { //nolint:exhaustive // the others did nothing
	case provisioning.TransactionSucceeded:
		r.floor = 0
		return nil
	case provisioning.TransactionFailed:
		return r.failed(at, end)
	}
	if err := r.hopeless(at, end); err != nil {
		return err
	}
	if end.code == xdr.TransactionResultCodeTxInsufficientFee {
		r.floor = raise(at.tx, at.resource, end.asked)
	}
	if r.tries++; r.tries > maxTries {
		return provisioning.Errorf(provisioning.KindTransient, "send transaction",
			"the network did not take the transaction for %s in %d tries; %s", at.act.what, r.tries, lastWord(end))
	}
	return r.rpc.rest.backoff(ctx, r.tries, nil)
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
func (r *deployment) failed(at attempt, end ending) error {
	if r.failures++; r.failures <= maxFailures {
		return nil
	}
	kind, advice := provisioning.KindPermanent, "look it up by its hash"
	if end.tooScarce() {
		kind, advice = provisioning.KindTransient, "the network's state changed between simulation and execution"
	}
	return provisioning.Errorf(kind, "apply transaction", "%s failed on the ledger with %s, at a fee of %s (transaction %s); %s",
		at.act.what, end.Detail, xlm(end.FeeCharged), at.tx.Hash, advice)
}

// hopeless gives the error for refusals that another try would meet again.
func (r *deployment) hopeless(at attempt, end ending) error {
	refuse := func(format string, args ...any) error {
		return provisioning.Wrap(end.err, provisioning.KindPermanent, "send transaction", format, args...)
	}
	switch end.code {
	case xdr.TransactionResultCodeTxInsufficientBalance:
		return r.poor(at.view.account, at.act.what, at.tx.MaxFee)
	case xdr.TransactionResultCodeTxNoAccount:
		return r.noAccount()
	case xdr.TransactionResultCodeTxBadAuth, xdr.TransactionResultCodeTxBadAuthExtra:
		return refuse("the account %s does not accept the signature of its own key (%s); its signers or thresholds were changed, "+
			"give SOROBAN_CONTRACT_DEPLOYER_SECRET of an account that one key controls", r.Address(), end.Detail)
	case xdr.TransactionResultCodeTxBadSeq, xdr.TransactionResultCodeTxTooLate, xdr.TransactionResultCodeTxTooEarly,
		xdr.TransactionResultCodeTxInsufficientFee, xdr.TransactionResultCodeTxInternalError, xdr.TransactionResultCodeTxSorobanInvalid:
		return nil
	case xdr.TransactionResultCodeTxSuccess: // No result at all: it expired, or the server could not read it.
		if end.err == nil {
			return nil
		}
		return refuse("the Stellar RPC server cannot read the transaction; this program may be too old, or too new, for the network's protocol")
	}
	return refuse("the network refuses the transaction for %s with %s", at.act.what, end.Detail)
}

// puzzled reacts to a simulation that fails. Often the ledger has moved since the
// look, or the server that simulates is behind the one that was asked before.
func (r *deployment) puzzled(ctx context.Context, a *act, fault *simulationError) error {
	if r.puzzles++; r.puzzles <= maxPuzzles {
		return r.rpc.rest.backoff(ctx, r.puzzles, nil)
	}
	if fault.err != nil {
		return fault.err
	}
	reason := "the log has the reason"
	if fault.code != "" {
		reason = "the host's error is " + fault.code
	}
	return provisioning.Wrap(fault, provisioning.KindPermanent, "simulate transaction",
		"the simulation of %s fails; %s", a.what, reason)
}
