package txsubmit

import (
	"context"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// quarantineTime is how long a channel is not leased after a transaction with an unknown
// outcome: one ledger of a public network, in which the outcome shows. Where ledgers
// close faster it is two ledgers.
const quarantineTime = 6 * time.Second

// SourceAccount is a leased account that is a transaction's source and pays its fee: the
// deployer or a channel.
type SourceAccount struct {
	session *Session
	lease   txlog.AccountLease
	id      xdr.AccountId // Of the leased account.
	key     *keypair.Full // Nil: it signs nothing; its open transactions are resolved.

	lastSequence   int64  // The last known sequence number; 0: read it.
	openTx         bool   // It has a transaction with an unknown outcome.
	disabledReason string // Why the account is disabled; empty: it is not.
}

// leaseChannel waits for any channel that can pay a fee, and reconciles the channels
// when there is none to wait for. When that does not help, for example because their
// signers were changed, the deployer's account is used.
func (s *Session) leaseChannel(ctx context.Context, fee int64) (*SourceAccount, error) {
	if err := s.ensureChannels(ctx, s.txLog); err != nil {
		return nil, err
	}
	minBalance := channelReserve + fee
	lease, err := s.txLog.Channel(ctx, s.networkID, s.Signer(), s.settings.Channels, minBalance)
	if errs.KindOf(err) == errs.KindNotFound {
		if _, err := s.ReconcileChannels(ctx, s.txLog); err != nil {
			return nil, err
		}
		lease, err = s.txLog.Channel(ctx, s.networkID, s.Signer(), s.settings.Channels, minBalance)
	}
	if errs.KindOf(err) == errs.KindNotFound {
		return s.LeaseOwnAccount(ctx)
	}
	if err != nil {
		return nil, err
	}
	key, err := s.channelKey(ctx, lease.Channel())
	if err != nil {
		_ = lease.Release(ctx, txlog.AccountRelease{Sequence: lease.Sequence()})
		return nil, err
	}
	return s.newSourceAccount(ctx, lease, key)
}

// LeaseOwnAccount waits for the deployer's account.
func (s *Session) LeaseOwnAccount(ctx context.Context) (*SourceAccount, error) {
	lease, err := s.txLog.Account(ctx, s.networkID, s.Address())
	if err != nil {
		return nil, err
	}
	return s.newSourceAccount(ctx, lease, s.signer)
}

// newSourceAccount creates one from a lease and resolves the account's open
// transactions. It releases the lease when that fails.
func (s *Session) newSourceAccount(ctx context.Context, lease txlog.AccountLease, key *keypair.Full) (*SourceAccount, error) {
	id, err := registryAccount("stellar_accounts.address", lease.Address())
	if err != nil {
		_ = lease.Release(ctx, txlog.AccountRelease{Sequence: lease.Sequence()})
		return nil, err
	}
	a := &SourceAccount{session: s, lease: lease, id: id, key: key, lastSequence: lease.Sequence()}
	if err := a.resolveOpenTx(ctx); err != nil {
		a.Release(ctx)
		return nil, err
	}
	return a, nil
}

// resolveOpenTx resolves transactions that earlier users of the account left open, of
// any tenant: they hold its next sequence numbers. A transaction's tenant finds its
// contract there later. One that the network rejects is waited for until it expires,
// without an error for this session.
func (a *SourceAccount) resolveOpenTx(ctx context.Context) error {
	for _, tx := range a.lease.Unresolved() {
		a.openTx = true
		result, err := a.session.resolve(ctx, tx)
		if err != nil {
			return err
		}
		if err := a.record(ctx, tx, result); err != nil {
			return err
		}
		if tx.ContractID != "" && tx.ContractID == a.session.contractID {
			a.session.recordFee(tx, result)
		}
	}
	return nil
}

// record stores the result of a transaction of this account.
func (a *SourceAccount) record(ctx context.Context, tx txlog.Transaction, result txResult) error {
	if err := a.lease.Resolve(ctx, tx.Hash, result.Outcome); err != nil {
		return err
	}
	a.openTx = false
	a.session.noteApplied(result)
	switch {
	case result.code == xdr.TransactionResultCodeTxBadSeq: // In both cases the sequence number differs from the expected one.
		a.lastSequence = 0
	case result.State == txlog.StateSucceeded, result.State == txlog.StateFailed:
		a.lastSequence = max(a.lastSequence, tx.Sequence)
	}
	return nil
}

// assignSequence makes sure that the sequence number is known, and returns the account
// if it was read. It waits for a server that is behind the transaction log for up to lagTimeout,
// because test networks are reset.
func (a *SourceAccount) assignSequence(ctx context.Context) (*xdr.AccountEntry, error) {
	if a.lastSequence > 0 {
		return nil, nil
	}
	var entry *xdr.AccountEntry
	applied, address := a.lease.AppliedSequence(), a.lease.Address()
	current, err := a.session.reader.WaitFor(ctx, func() (_ bool, err error) {
		entry, err = a.session.reader.Account(ctx, a.id)
		return entry != nil && int64(entry.SeqNum) >= a.session.unreached.expectedSequence(address, applied, int64(entry.SeqNum)), err
	})
	if err != nil {
		return nil, err
	}
	if !current && entry != nil {
		a.session.unreached.addSequence(address, applied)
	}
	if entry != nil {
		a.lastSequence = int64(entry.SeqNum)
	}
	return entry, nil
}

// ForgetSequence drops a sequence number ahead of the ledger's. Sequence numbers never
// decrease, except after a testnet reset.
func (a *SourceAccount) ForgetSequence(ledgerSequence int64) {
	if ledgerSequence < a.lastSequence {
		a.lastSequence = 0
	}
}

// MinSequence is the lowest sequence number that the account can have: that of its last
// user or of the transaction log.
func (a *SourceAccount) MinSequence() int64 {
	if a.lastSequence > 0 {
		return a.lastSequence
	}
	return a.lease.AppliedSequence()
}

// disableIfAtFault disables a channel account whose state caused the rejection; another
// channel is used then.
func (a *SourceAccount) disableIfAtFault(result txResult) {
	if !a.isChannelAccount() || result.State != txlog.StateRejected && result.State != txlog.StateExpired {
		return
	}
	switch result.code {
	case xdr.TransactionResultCodeTxInsufficientBalance:
		a.disabledReason = disabledLowBalance
	case xdr.TransactionResultCodeTxNoAccount:
		a.disabledReason = disabledMissing
	case xdr.TransactionResultCodeTxBadAuth, xdr.TransactionResultCodeTxBadAuthExtra:
		a.disabledReason = disabledSigners
	}
}

// Release releases the account's lease. It ignores an error, which must not hide the
// transaction's result: the lease expires with the run's lease.
func (a *SourceAccount) Release(ctx context.Context) {
	update := txlog.AccountRelease{Sequence: a.lastSequence, DisabledReason: a.disabledReason}
	if a.openTx && a.isChannelAccount() {
		update.Quarantine = a.session.client.TimeOf(2, quarantineTime)
	}
	_ = a.lease.Release(ctx, update)
}

// isChannelAccount reports whether the account is a channel and not the deployer.
func (a *SourceAccount) isChannelAccount() bool { return a.lease.Channel() >= 0 }
