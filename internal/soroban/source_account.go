package soroban

import (
	"context"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// quarantineTime is how long a channel is left alone after a transaction whose
// outcome is not known: a public network's ledger, in which it shows. Where ledgers
// close faster it is two of them.
const quarantineTime = 6 * time.Second

// sourceAccount is a leased account that carries a transaction's sequence number, and
// pays its fee: the deployer or a channel.
type sourceAccount struct {
	session *txSession
	lease   txlog.AccountLease
	id      xdr.AccountId // Of the leased account.
	key     *keypair.Full // Nil: it signs nothing, what is open on it is found out.

	lastSequence   int64  // The sequence number used last as far as is known, 0: ask.
	openTx         bool   // It has a transaction whose outcome is not known.
	disabledReason string // Why the account cannot be used; empty: it can be used.
}

// leaseChannel waits for any channel that can pay a fee, and has the channels
// reconciled when there is none to wait for. When that does not help, because
// their signers were changed for one, the deployer carries the transaction.
func (s *txSession) leaseChannel(ctx context.Context, fee int64) (*sourceAccount, error) {
	if err := s.ensureChannels(ctx, s.journal); err != nil {
		return nil, err
	}
	minBalance := channelReserve + fee
	lease, err := s.journal.Channel(ctx, s.networkID, s.Address(), s.opts.Channels, minBalance)
	if errs.KindOf(err) == errs.KindNotFound {
		if _, err := s.ReconcileChannels(ctx, s.journal); err != nil {
			return nil, err
		}
		lease, err = s.journal.Channel(ctx, s.networkID, s.Address(), s.opts.Channels, minBalance)
	}
	if errs.KindOf(err) == errs.KindNotFound {
		return s.leaseOwnAccount(ctx)
	}
	if err != nil {
		return nil, err
	}
	key, err := s.channelKey(lease.Channel())
	if err != nil {
		_ = lease.Release(ctx, txlog.AccountRelease{Sequence: lease.Sequence()})
		return nil, err
	}
	return s.newSourceAccount(ctx, lease, key)
}

// leaseOwnAccount waits for the deployer's own account.
func (s *txSession) leaseOwnAccount(ctx context.Context) (*sourceAccount, error) {
	lease, err := s.journal.Account(ctx, s.networkID, s.Address())
	if err != nil {
		return nil, err
	}
	return s.newSourceAccount(ctx, lease, s.signer)
}

// newSourceAccount makes one of a lease, and finds out what became of the transactions
// that were left on it. It releases the lease when that fails.
func (s *txSession) newSourceAccount(ctx context.Context, lease txlog.AccountLease, key *keypair.Full) (*sourceAccount, error) {
	id, err := registryAccount("stellar_accounts.address", lease.Address())
	if err != nil {
		_ = lease.Release(ctx, txlog.AccountRelease{Sequence: lease.Sequence()})
		return nil, err
	}
	a := &sourceAccount{session: s, lease: lease, id: id, key: key, lastSequence: lease.Sequence()}
	if err := a.resolveOpenTx(ctx); err != nil {
		a.release(ctx)
		return nil, err
	}
	return a, nil
}

// resolveOpenTx finds out what became of the transactions that earlier users of the
// account left open, of whichever tenant: they hold its next sequence numbers. The tenant
// that one is for will find its contract there. What the network does not want any
// more is waited for until it is expired, and is no fault of this session.
func (a *sourceAccount) resolveOpenTx(ctx context.Context) error {
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

// record records what became of a transaction of this account.
func (a *sourceAccount) record(ctx context.Context, tx txlog.Transaction, result txResult) error {
	if err := a.lease.Resolve(ctx, tx.Hash, result.Outcome); err != nil {
		return err
	}
	a.openTx = false
	a.session.noteApplied(result)
	switch {
	case result.code == xdr.TransactionResultCodeTxBadSeq: // Applied or not, the number is another one than was thought.
		a.lastSequence = 0
	case result.State == txlog.StateSucceeded, result.State == txlog.StateFailed:
		a.lastSequence = max(a.lastSequence, tx.Sequence)
	}
	return nil
}

// assignSequence makes sure that the sequence number is known, and returns the account if
// it had to be read. A server that does not know yet what the journal knows is
// waited for, up to lagTimeout: test networks are reset.
func (a *sourceAccount) assignSequence(ctx context.Context) (*xdr.AccountEntry, error) {
	if a.lastSequence > 0 {
		return nil, nil
	}
	var entry *xdr.AccountEntry
	d := a.session.Deployer
	_, err := d.waitForLedger(ctx, func() (bool, error) {
		found, _, err := d.readEntries(ctx, d.reads, accountKey(a.id))
		if err != nil {
			return false, err
		}
		entry, err = accountOf(found[0])
		return entry != nil && int64(entry.SeqNum) >= a.lease.AppliedSequence(), err
	})
	if err != nil {
		return nil, err
	}
	if entry != nil {
		a.lastSequence = int64(entry.SeqNum)
	}
	return entry, nil
}

// forgetSequence drops a sequence number ahead of the ledger's. Numbers never go back,
// except after a testnet reset.
func (a *sourceAccount) forgetSequence(ledgerSequence int64) {
	if ledgerSequence < a.lastSequence {
		a.lastSequence = 0
	}
}

// minSequence is a sequence number that the account has at least: what its last user
// knew, or what the journal knows.
func (a *sourceAccount) minSequence() int64 {
	if a.lastSequence > 0 {
		return a.lastSequence
	}
	return a.lease.AppliedSequence()
}

// disableIfAtFault disables a channel account whose state caused the refusal; another one
// is tried then.
func (a *sourceAccount) disableIfAtFault(result txResult) {
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

// release gives the account back. A failure must not hide what became of the
// transaction; the lease ends with the run's own at the latest.
func (a *sourceAccount) release(ctx context.Context) {
	rest := txlog.AccountRelease{Sequence: a.lastSequence, DisabledReason: a.disabledReason}
	if a.openTx && a.isChannelAccount() {
		rest.Quarantine = a.session.rpc.pacer.ledgers.timeOf(2, quarantineTime)
	}
	_ = a.lease.Release(ctx, rest)
}

// isChannelAccount reports whether the account is not the deployer itself.
func (a *sourceAccount) isChannelAccount() bool { return a.lease.Channel() >= 0 }
