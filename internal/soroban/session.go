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

// simulationTTL is how long a simulation serves while its transaction waits for an
// account to carry it. Prices hardly move in that time; the margin covers them.
const simulationTTL = time.Minute

// txSession is what transactions are sent for, and what came of it so far.
type txSession struct {
	*Deployer
	journal    txlog.Log
	contractID string             // Transactions about it are the session's own; empty: none is.
	contract   contracts.Contract // What is known of it, and the fees that were charged.

	appliedLedger   uint32 // A ledger in which something was applied; older views are stale.
	journalLedger   uint32 // The same from the journal, which may be of a network that was reset since.
	minInclusionFee int64  // Once the network asked for more, stroops.
	unsent          retryCount
	failures        int // Transactions that came to nothing and cost their fee.
	simulations     retryCount
	asOf            time.Time // When the journal was asked about the contract.
	contractBusy    bool      // Another process has a transaction about the contract open.
}

// txAttempt is a transaction that was sent for a spec, and its result.
type txAttempt struct {
	spec        *txSpec
	tx          txlog.Transaction
	result      txResult
	resourceFee int64
	source      *sourceAccount
	entry       *xdr.AccountEntry // The source account as it was read; nil: it was not.
}

// perform sends one transaction, as often as it takes until it was applied with success.
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

// attemptOnce tries a spec once. The simulation comes first, so that the source account is
// held for no longer than it takes to send and know. A nil attempt is worth another
// round.
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
		return nil, nil // Another round, with another simulation.
	}
	entry, err := src.assignSequence(ctx)
	if err != nil {
		return nil, err
	}
	return s.signAndSend(ctx, built, src, entry)
}

// build puts a transaction together and chooses its inclusion fee. Nil is worth another
// round.
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
		// The code went to the archive after the look. To bring it back has a ceiling
		// of its own; the next look will show it.
		return nil, s.simulationFailed(ctx, spec, &simulationError{text: "something has to be restored first", err: err})
	}
	if err != nil {
		return nil, err
	}
	return &built, nil
}

// leaseSource leases the account that carries a transaction: a channel, or the deployer's
// own where there are none, only one caller may do it, or it costs more than a channel
// has.
func (s *txSession) leaseSource(ctx context.Context, built *assembledTx) (*sourceAccount, error) {
	fee := built.resourceFee + built.inclusionFee
	if built.spec.shared || s.opts.Channels == 0 || fee > maxChannelFee {
		return s.leaseOwnAccount(ctx)
	}
	return s.leaseChannel(ctx, fee)
}

// signAndSend signs, stores and sends a transaction, and tracks it until its fate is
// known. Without a transaction there is nothing to do. A nil attempt is worth another
// round.
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
		s.contractBusy = true // Another round, once it is known what became of the other one.
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

// resolveCompetingTx finds out what became of the transaction of another process that
// kept this session's own from being stored.
func (s *txSession) resolveCompetingTx(ctx context.Context) error {
	if !s.contractBusy {
		return nil
	}
	s.contractBusy = false
	return s.resolveOpenTx(ctx)
}

// resolveOpenTx finds out what became of the contract's open transactions.
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

// resolve finds out what became of a transaction that an earlier run left open. What
// was stored and perhaps never sent is sent now, as long as it is valid.
func (s *txSession) resolve(ctx context.Context, tx txlog.Transaction) (txResult, error) {
	t, err := s.newTracker(tx, stateUnknown)
	if err != nil {
		return txResult{}, err
	}
	return t.track(ctx, actQuery)
}

// noteApplied remembers where something was applied: older views are stale.
func (s *txSession) noteApplied(result txResult) {
	if result.State == txlog.StateSucceeded || result.State == txlog.StateFailed {
		s.appliedLedger = max(s.appliedLedger, result.Ledger)
	}
}

// recordFee adds a transaction of the session to its contract.
func (s *txSession) recordFee(tx txlog.Transaction, result txResult) {
	s.contract.FeeCharged += result.FeeCharged
	if tx.Purpose == txlog.PurposeCreate && result.State == txlog.StateSucceeded {
		s.contract.TransactionHash, s.contract.Ledger = tx.Hash, result.Ledger
	}
}

// lagging is the error of a server that does not catch up with what is known.
func (s *txSession) lagging(ledger uint32) error {
	return errs.Errorf(errs.KindTransient, "read ledger entries",
		"the Stellar RPC server is behind the network: it knows ledger %d, a transaction was applied in %d", ledger, s.appliedLedger)
}

func (s *txSession) notSettled() error {
	return errs.Errorf(errs.KindTransient, "deploy contract",
		"the ledger kept changing while the contract was deployed")
}
