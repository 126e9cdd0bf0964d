package txsubmit

import (
	"context"
	"errors"
	"time"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/ledger"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// simulationTTL is how long a simulation is used while its transaction waits for a
// source account. Prices hardly change in that time; the margin covers them.
const simulationTTL = time.Minute

// MaxRounds limits how often a session repeats a task; the longest useful sequence of
// steps has half as many.
const MaxRounds = 16

// Totals are the results of a session's transactions.
type Totals struct {
	FeeCharged   int64
	CreatedBy    string // The hash of the transaction that created the contract,
	CreateLedger uint32 // and its ledger.
}

// Session sends transactions for one task and collects their results.
type Session struct {
	*Submitter
	txLog      txlog.Log
	contractID string // Its transactions belong to the session; empty: none do.
	totals     Totals

	appliedLedger   uint32 // A ledger in which a transaction was applied; older views are stale.
	logLedger       uint32 // The same from the transaction log; the network may have been reset since.
	minInclusionFee int64  // The minimum that the network required, stroops; 0: none.
	unsent          retryCount
	failures        int // Transactions that failed and cost their fee.
	simulations     retryCount
	asOf            time.Time // When the transaction log was read for the contract.
	contractBusy    bool      // Another process has an open transaction for the contract.

	applied map[txlog.Purpose]int // Transactions that succeeded, in the session of a contract.
}

// maxApplied is how often a transaction of one purpose succeeds in the session of a contract.
// One is enough; a second restore can be needed when an entry expires meanwhile. A server
// that does not show the effect would have it paid again and again.
const maxApplied = 2

// NewSession creates a session for a contract (C...); an empty contractID means none, or
// several.
func (s *Submitter) NewSession(txLog txlog.Log, contractID string) *Session {
	return &Session{Submitter: s, txLog: txLog, contractID: contractID}
}

// Totals are the results so far.
func (s *Session) Totals() Totals { return s.totals }

// ContractBusy reports whether another process has an open transaction for the contract.
// ResolveCompeting resolves it.
func (s *Session) ContractBusy() bool { return s.contractBusy }

// ResetRetries starts the count of retries again, for another part of the task.
func (s *Session) ResetRetries() {
	s.unsent, s.failures, s.simulations = retryCount{}, 0, retryCount{}
}

// txAttempt is a transaction that was sent for a spec, and its result.
type txAttempt struct {
	spec        *Spec
	tx          txlog.Transaction
	result      txResult
	resourceFee int64
	source      *SourceAccount
	entry       *xdr.AccountEntry // The source account's entry; nil: it was not read.
}

// Perform sends one transaction, and retries until it succeeds.
func (s *Session) Perform(ctx context.Context, spec *Spec) error {
	for range MaxRounds {
		attempt, err := s.attemptOnce(ctx, spec)
		if err != nil {
			return err
		}
		if err := s.handleResult(ctx, attempt); err != nil || attempt != nil && attempt.result.State == txlog.StateSucceeded {
			return err
		}
	}
	return s.NotDone()
}

// Attempt tries a spec once. Nil means another round: the ledger shows what was done.
func (s *Session) Attempt(ctx context.Context, spec *Spec) error {
	attempt, err := s.attemptOnce(ctx, spec)
	if err != nil {
		return err
	}
	return s.handleResult(ctx, attempt)
}

// AttemptFrom is Attempt with a leased account, whose entry was just read.
func (s *Session) AttemptFrom(ctx context.Context, src *SourceAccount, entry *xdr.AccountEntry, spec *Spec) error {
	src.lastSequence = int64(entry.SeqNum)
	built, err := s.build(ctx, spec)
	if err != nil {
		return err
	}
	attempt, err := s.signAndSend(ctx, built, src, entry)
	if err != nil {
		return err
	}
	return s.handleResult(ctx, attempt)
}

// attemptOnce tries a spec once. It simulates first, so that the source account is
// leased only while sending and tracking. A nil attempt means another round.
func (s *Session) attemptOnce(ctx context.Context, spec *Spec) (*txAttempt, error) {
	built, err := s.build(ctx, spec)
	if err != nil || built == nil {
		return nil, err
	}
	src, err := s.leaseSource(ctx, built)
	if err != nil {
		return nil, err
	}
	defer src.Release(ctx)
	if s.clock.Now().Sub(built.builtAt) > simulationTTL {
		return nil, nil // Another round, with a new simulation.
	}
	entry, err := src.assignSequence(ctx)
	if err != nil {
		return nil, err
	}
	return s.signAndSend(ctx, built, src, entry)
}

// build assembles a transaction and chooses its inclusion fee. Nil means another round.
func (s *Session) build(ctx context.Context, spec *Spec) (*assembledTx, error) {
	if s.applied[spec.Purpose] >= maxApplied {
		return nil, rpc.MalformedValue("submit transaction", "%d transactions for %s succeeded, and the ledger that it returns does not show their effect; no other one is paid", maxApplied, spec.Description)
	}
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
func (s *Session) leaseSource(ctx context.Context, built *assembledTx) (*SourceAccount, error) {
	fee := built.resourceFee + built.inclusionFee
	if built.spec.Shared || s.settings.Channels == 0 || fee > maxChannelFee {
		return s.LeaseOwnAccount(ctx)
	}
	return s.leaseChannel(ctx, fee)
}

// signAndSend signs, stores and sends a transaction, and tracks it to its result. With a
// nil transaction it does nothing. A nil attempt means another round.
func (s *Session) signAndSend(ctx context.Context, built *assembledTx, src *SourceAccount, entry *xdr.AccountEntry) (*txAttempt, error) {
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

// ResolveCompeting resolves the other process's transaction that prevented this
// session's from being stored.
func (s *Session) ResolveCompeting(ctx context.Context) error {
	if !s.contractBusy {
		return nil
	}
	s.contractBusy = false
	return s.ResolveOpen(ctx)
}

// ResolveOpen resolves the contract's open transactions.
func (s *Session) ResolveOpen(ctx context.Context) error {
	history, err := s.txLog.ContractHistory(ctx, s.networkID, s.contractID)
	if err != nil {
		return err
	}
	s.logLedger, s.asOf = history.Ledger, history.AsOf
	for _, tx := range history.Open {
		result, err := s.resolve(ctx, tx)
		if err != nil {
			return err
		}
		if err := s.txLog.Resolve(ctx, tx.Hash, result.Outcome); err != nil {
			return err
		}
		s.noteApplied(result)
		s.recordFee(tx, result)
	}
	return nil
}

// resolve resolves a transaction that an earlier run left open. One that was stored and
// perhaps never sent is sent now, while it is valid.
func (s *Session) resolve(ctx context.Context, tx txlog.Transaction) (txResult, error) {
	t, err := s.newTracker(tx, stateUnknown)
	if err != nil {
		return txResult{}, err
	}
	return t.track(ctx, actQuery)
}

// noteApplied records the ledger of an applied transaction: older views are stale.
func (s *Session) noteApplied(result txResult) {
	if result.State == txlog.StateSucceeded || result.State == txlog.StateFailed {
		s.appliedLedger = max(s.appliedLedger, result.Ledger)
	}
}

// recordFee adds the fee of a session's transaction to its totals.
func (s *Session) recordFee(tx txlog.Transaction, result txResult) {
	s.totals.FeeCharged += result.FeeCharged
	if s.contractID != "" && result.State == txlog.StateSucceeded {
		if s.applied == nil {
			s.applied = map[txlog.Purpose]int{}
		}
		s.applied[tx.Purpose]++
	}
	if tx.Purpose == txlog.PurposeCreate && result.State == txlog.StateSucceeded {
		s.totals.CreatedBy, s.totals.CreateLedger = tx.Hash, result.Ledger
	}
}

// View returns a view of a contract that is not older than the known state: a ledger in
// which something was applied, and a sequence number of the deployer. In an older view a
// contract created just now would be missing. It waits only for a limited time for state
// that only the transaction log has, because test networks are reset.
func (s *Session) View(ctx context.Context, id xdr.ContractId, minSequence int64) (v ledger.View, err error) {
	current, err := s.reader.WaitFor(ctx, func() (_ bool, err error) {
		v, err = s.reader.View(ctx, s.settings.Code, id, s.account)
		if err != nil {
			return false, err
		}
		s.logLedger = s.unreached.expectedLedger(s.logLedger, v.Ledger)
		applied := s.unreached.expectedLedger(s.appliedLedger, v.Ledger)
		sequence := s.unreached.expectedSequence(s.Address(), minSequence, v.Sequence())
		return v.Ledger >= max(applied, s.logLedger) && v.Sequence() >= sequence, nil
	})
	if err != nil {
		return v, err
	}
	if behind := max(s.appliedLedger, s.logLedger); v.Ledger < behind {
		s.unreached.addLedger(behind)
	}
	if v.Ledger < s.appliedLedger {
		return v, s.lagging(v.Ledger)
	}
	if v.Sequence() < minSequence {
		s.unreached.addSequence(s.Address(), minSequence)
	}
	if !current {
		s.logLedger = 0
	}
	return v, nil
}

// Entries returns entries that are not older than the session's transactions.
func (s *Session) Entries(ctx context.Context, keys ...xdr.LedgerKey) (found []protocol.LedgerEntryResult, at uint32, err error) {
	current, err := s.reader.WaitFor(ctx, func() (_ bool, err error) {
		found, at, err = s.reader.Entries(ctx, keys...)
		return at >= s.appliedLedger, err
	})
	if err == nil && !current {
		err = s.lagging(at)
	}
	return found, at, err
}

// lagging is the error of a server that stays behind the known state.
func (s *Session) lagging(ledger uint32) error {
	return errs.Errorf(errs.KindTransient, "read ledger entries",
		"the Stellar RPC server is behind the network: it knows ledger %d, a transaction was applied in %d", ledger, s.appliedLedger)
}

// NotDone is the error of a task that is not done after MaxRounds.
func (s *Session) NotDone() error {
	return errs.Errorf(errs.KindTransient, "deploy contract",
		"the ledger kept changing while the contract was deployed")
}
