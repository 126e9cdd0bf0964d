package txsubmit

import (
	"context"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// How often a deployment retries before it returns the error. Retries that cost a fee
// have the lowest limit.
const (
	maxUnsentTries        = 4
	maxFailures           = 1
	maxSimulationFailures = 3
)

// retryCount counts retries, and waits longer before each.
type retryCount struct {
	n       int
	backoff *rpc.Backoff
}

func (c *retryCount) wait(ctx context.Context, client *rpc.Client) error {
	if c.backoff == nil {
		c.backoff = client.NewBackoff()
	}
	return c.backoff.Wait(ctx, nil)
}

// handleResult decides how the session continues after a transaction's result: nil for
// another round, an error to stop. Without an attempt it returns nil.
func (s *Session) handleResult(ctx context.Context, at *txAttempt) error {
	if at == nil {
		return nil
	}
	switch at.result.State { //nolint:exhaustive // the other retries cost nothing
	case txlog.StateSucceeded:
		s.minInclusionFee = 0
		return nil
	case txlog.StateFailed:
		return s.txFailed(at)
	}
	if err := s.permanentError(ctx, at); err != nil {
		return err
	}
	if at.result.code == xdr.TransactionResultCodeTxInsufficientFee {
		s.minInclusionFee = nextMinInclusionFee(at.tx, at.resourceFee, at.result.minFee)
		s.client.ForgetFeeStats()
	}
	if s.unsent.n++; s.unsent.n > maxUnsentTries {
		return errs.Errorf(errs.KindTransient, "send transaction",
			"the network did not accept the transaction for %s in %d tries; %s", at.spec.Description, s.unsent.n, lastResponse(at.result))
	}
	return s.unsent.wait(ctx, s.client)
}

func lastResponse(result txResult) string {
	if result.Detail == "" {
		return "it expired each time before a ledger had room for it"
	}
	return "its last response is " + result.Detail
}

// txFailed handles a transaction that was applied but failed. One retry is worth its fee:
// it is simulated on the current ledger, and if another process created the contract
// meanwhile, the next read finds it and nothing is sent.
func (s *Session) txFailed(at *txAttempt) error {
	if s.failures++; s.failures <= maxFailures {
		return nil
	}
	kind, advice := errs.KindPermanent, "look it up by its hash"
	if at.result.resourceLimitExceeded() {
		kind, advice = errs.KindTransient, "the network's state changed between simulation and execution"
	}
	return errs.Errorf(kind, "apply transaction", "%s failed on the ledger with %s, at a fee of %s (transaction %s); %s",
		at.spec.Description, at.result.Detail, contracts.FormatXLM(at.result.FeeCharged), at.tx.Hash, advice)
}

// permanentError returns the error for rejections that a retry would meet again. When
// the rejection is due to a channel account, that channel is disabled and another one is
// used.
func (s *Session) permanentError(ctx context.Context, at *txAttempt) error {
	end := at.result
	refuse := func(format string, args ...any) error {
		return errs.Wrap(end.err, errs.KindPermanent, "send transaction", format, args...)
	}
	badKey := func() error {
		return refuse("the account %s does not accept the signature of the key in SOROBAN_CONTRACT_DEPLOYER_SECRET (%s); its signers or thresholds were changed, "+
			"give a key that controls it alone, and the account in SOROBAN_DEPLOYER_ACCOUNT if that is not the key's own", s.Address(), end.Detail)
	}
	if at.source.disabledReason != "" {
		return nil
	}
	switch end.code {
	case xdr.TransactionResultCodeTxInsufficientBalance:
		account, err := s.currentAccount(ctx, at)
		if err != nil { // The missing amount is not known, and another run is rejected too.
			return err
		}
		return s.insufficientBalance(account, at.spec.Description, at.tx.MaxFee+at.spec.spends)
	case xdr.TransactionResultCodeTxNoAccount:
		return s.AccountMissing()
	case xdr.TransactionResultCodeTxBadAuth, xdr.TransactionResultCodeTxBadAuthExtra:
		return badKey()
	case xdr.TransactionResultCodeTxBadSeq, xdr.TransactionResultCodeTxTooLate, xdr.TransactionResultCodeTxTooEarly,
		xdr.TransactionResultCodeTxInsufficientFee, xdr.TransactionResultCodeTxInternalError, xdr.TransactionResultCodeTxSorobanInvalid:
		return nil
	case xdr.TransactionResultCodeTxSuccess: // No result: it expired, or the server could not read it.
		if end.err == nil {
			return nil
		}
		return refuse("the Stellar RPC server cannot read the transaction; this program may be too old, or too new, for the network's protocol")
	case xdr.TransactionResultCodeTxFailed:
		switch end.opCode {
		case xdr.OperationResultCodeOpBadAuth:
			return badKey()
		case xdr.OperationResultCodeOpNoAccount:
			return s.AccountMissing()
		}
	}
	return refuse("the network refuses the transaction for %s with %s", at.spec.Description, end.Detail)
}

// currentAccount reads the account whose balance was too low, unless it was read before.
// It returns nil when the account does not exist.
func (s *Session) currentAccount(ctx context.Context, at *txAttempt) (*xdr.AccountEntry, error) {
	if at.entry != nil {
		return at.entry, nil
	}
	return s.reader.Account(ctx, at.source.id)
}

// simulationFailed handles a failed simulation. Often the ledger has changed since the
// read, or the simulating server is behind the one that was read from.
func (s *Session) simulationFailed(ctx context.Context, spec *Spec, fault *simulationError) error {
	if s.simulations.n++; s.simulations.n <= maxSimulationFailures {
		return s.simulations.wait(ctx, s.client)
	}
	if fault.err != nil {
		return fault.err
	}
	reason := "the log has the reason"
	if fault.code != "" {
		reason = "the host's error is " + fault.code
	}
	return errs.Wrap(fault, errs.KindPermanent, "simulate transaction",
		"the simulation of %s fails; %s", spec.Description, reason)
}
