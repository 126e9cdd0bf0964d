package soroban

import (
	"context"
	"errors"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// simulationTTL is how long a simulation is used while its transaction waits for a
// source account. Prices hardly change in that time; the margin covers them.
const simulationTTL = time.Minute

// txSession sends transactions for one task and collects their results.
type txSession struct {
	*Deployer
	journal    txlog.Log
	contractID string             // Its transactions belong to the session; empty: none do.
	contract   contracts.Contract // The known contract, with the fees charged.

	appliedLedger   uint32 // A ledger in which a transaction was applied; older views are stale.
	journalLedger   uint32 // The same from the journal; the network may have been reset since.
	minInclusionFee int64  // What the network asked for, stroops; 0: nothing.
	unsent          retryCount
	failures        int // Transactions that failed and cost their fee.
	simulations     retryCount
	asOf            time.Time // When the journal was read for the contract.
	contractBusy    bool      // Another process has an open transaction for the contract.
}

// txAttempt is a transaction that was sent for a spec, and its result.
type txAttempt struct {
	spec        *txSpec
	tx          txlog.Transaction
	result      txResult
	resourceFee int64
	source      *sourceAccount
	entry       *xdr.AccountEntry // The source account's entry; nil: it was not read.
}

// perform sends one transaction, and retries until it succeeds.
func (s *txSession) perform(ctx context.Context, spec *txSpec) error {
	for range maxRounds {
		attempt, err := s.attemptOnce(ctx, spec)
		if err != nil {
			return err
		}
		if err := s.handleResult(ctx, attempt); err != nil || attempt != nil && attempt.result.State == txlog.StateSucceeded {
			return err
		}
	}
	return s.notSettled()
}

// attemptOnce tries a spec once. It simulates first, so that the source account is
// leased only while sending and tracking. A nil attempt means another round.
func (s *txSession) attemptOnce(ctx context.Context, spec *txSpec) (*txAttempt, error) {
	built, err := s.build(ctx, spec)
	if err != nil || built == nil {
		return nil, err
	}
	src, err := s.leaseSource(ctx, built)
	if err != nil {
		return nil, err
	}
	defer src.release(ctx)
	if s.opts.Clock.Now().Sub(built.builtAt) > simulationTTL {
		return nil, nil // Another round, with a new simulation.
	}
	entry, err := src.assignSequence(ctx)
	if err != nil {
		return nil, err
	}
	return s.signAndSend(ctx, built, src, entry)
}

// build assembles a transaction and chooses its inclusion fee. Nil means another round.
func (s *txSession) build(ctx context.Context, spec *txSpec) (*assembledTx, error) {
	built, err := s.assemble(ctx, spec)
	var simulation *simulationError
	if errors.As(err, &simulation) {
		return nil, s.simulationFailed(ctx, spec, simulation)
	}
	if err != nil {
		return nil, err
	}
	built.inclusionFee, err = s.inclusionFee(ctx, built, s.minInclusionFee)
	if errs.KindOf(err) == errs.KindPermanent && built.restores() {
		// The code was archived after the read. Restoring it has a separate ceiling; the
		// next read shows it.
		return nil, s.simulationFailed(ctx, spec, &simulationError{text: "an archived entry has to be restored first", err: err})
	}
	if err != nil {
		return nil, err
	}
	return &built, nil
}

// leaseSource leases the transaction's source account: a channel; or the deployer's
// account when there are no channels, only one caller may send it, or it costs more than
// a channel has.
func (s *txSession) leaseSource(ctx context.Context, built *assembledTx) (*sourceAccount, error) {
	fee := built.resourceFee + built.inclusionFee
	if built.spec.shared || s.opts.Channels == 0 || fee > maxChannelFee {
		return s.leaseOwnAccount(ctx)
	}
	return s.leaseChannel(ctx, fee)
}

// signAndSend signs, stores and sends a transaction, and tracks it to its result. With a
// nil transaction it does nothing. A nil attempt means another round.
func (s *txSession) signAndSend(ctx context.Context, built *assembledTx, src *sourceAccount, entry *xdr.AccountEntry) (*txAttempt, error) {
	if built == nil {
		return nil, nil
	}
	tx, err := s.buildEnvelope(ctx, *built, src)
	if err != nil {
		return nil, err
	}
	err = src.lease.Store(ctx, tx)
	if errors.Is(err, txlog.ErrContractBusy) && s.contractID != "" {
		s.contractBusy = true // Another round, once the other transaction is resolved.
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	t, err := s.newTracker(tx, stateDrafted)
	if err != nil {
		return nil, err
	}
	t.feeBump = func(ctx context.Context, tx txlog.Transaction, minFee int64) (*txlog.Transaction, error) {
		return s.storeFeeBump(ctx, tx, *built, src, minFee)
	}
	src.openTx = true
	result, err := t.track(ctx, actSend)
	if err != nil {
		return nil, err
	}
	if err := src.record(ctx, t.tx, result); err != nil {
		return nil, err
	}
	src.disableIfAtFault(result)
	s.recordFee(t.tx, result)
	return &txAttempt{spec: built.spec, tx: t.tx, result: result, resourceFee: built.resourceFee, source: src, entry: entry}, nil
}

// resolveCompetingTx resolves the other process's transaction that prevented this
// session's from being stored.
func (s *txSession) resolveCompetingTx(ctx context.Context) error {
	if !s.contractBusy {
		return nil
	}
	s.contractBusy = false
	return s.resolveOpenTx(ctx)
}

// resolveOpenTx resolves the contract's open transactions.
func (s *txSession) resolveOpenTx(ctx context.Context) error {
	history, err := s.journal.ContractHistory(ctx, s.networkID, s.contractID)
	if err != nil {
		return err
	}
	s.journalLedger, s.asOf = history.Ledger, history.AsOf
	for _, tx := range history.Open {
		result, err := s.resolve(ctx, tx)
		if err != nil {
			return err
		}
		if err := s.journal.Resolve(ctx, tx.Hash, result.Outcome); err != nil {
			return err
		}
		s.noteApplied(result)
		s.recordFee(tx, result)
	}
	return nil
}

// resolve resolves a transaction that an earlier run left open. One that was stored and
// perhaps never sent is sent now, while it is valid.
func (s *txSession) resolve(ctx context.Context, tx txlog.Transaction) (txResult, error) {
	t, err := s.newTracker(tx, stateUnknown)
	if err != nil {
		return txResult{}, err
	}
	return t.track(ctx, actQuery)
}

// noteApplied records the ledger of an applied transaction: older views are stale.
func (s *txSession) noteApplied(result txResult) {
	if result.State == txlog.StateSucceeded || result.State == txlog.StateFailed {
		s.appliedLedger = max(s.appliedLedger, result.Ledger)
	}
}

// recordFee adds the fee of a session's transaction to its contract.
func (s *txSession) recordFee(tx txlog.Transaction, result txResult) {
	s.contract.FeeCharged += result.FeeCharged
	if tx.Purpose == txlog.PurposeCreate && result.State == txlog.StateSucceeded {
		s.contract.TransactionHash, s.contract.Ledger = tx.Hash, result.Ledger
	}
}

// lagging is the error of a server that stays behind the known state.
func (s *txSession) lagging(ledger uint32) error {
	return errs.Errorf(errs.KindTransient, "read ledger entries",
		"the Stellar RPC server is behind the network: it knows ledger %d, a transaction was applied in %d", ledger, s.appliedLedger)
}

func (s *txSession) notSettled() error {
	return errs.Errorf(errs.KindTransient, "deploy contract",
		"the ledger kept changing while the contract was deployed")
}
