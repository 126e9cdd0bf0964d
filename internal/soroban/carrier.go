package soroban

import (
	"context"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// quarantine is how long a channel is left alone after a transaction whose
// outcome is not known: a public network's ledger, in which it shows. Where ledgers
// close faster it is two of them.
const quarantine = 6 * time.Second

// carrier is a leased account that carries a transaction's sequence number, and
// pays its fee: the deployer or a channel.
type carrier struct {
	*work
	lease txlog.AccountLease
	id    xdr.AccountId // Of the leased account.
	key   *keypair.Full // Nil: it signs nothing, what is open on it is found out.

	last     int64  // The sequence number used last as far as is known, 0: ask.
	open     bool   // A transaction is on its way, and what becomes of it is not known.
	outOfUse string // Why nobody can use the account.
}

// leaseOwn waits for the deployer's own account.
func (w *work) leaseOwn(ctx context.Context) (*carrier, error) {
	lease, err := w.journal.Account(ctx, w.networkID, w.Address())
	if err != nil {
		return nil, err
	}
	return w.carrier(ctx, lease, w.signer)
}

// carrier makes one of a lease, which it gives back when that fails.
func (w *work) carrier(ctx context.Context, lease txlog.AccountLease, key *keypair.Full) (*carrier, error) {
	id, err := registryAccount("stellar_accounts.address", lease.Address())
	if err != nil {
		_ = lease.Release(ctx, txlog.AccountRelease{Sequence: lease.Sequence()})
		return nil, err
	}
	return &carrier{work: w, lease: lease, id: id, key: key, last: lease.Sequence()}, nil
}

// withOwn does something with the deployer's own account, once it is known what
// became of what others have sent with it.
func (w *work) withOwn(ctx context.Context, do func(context.Context, *carrier) error) error {
	c, err := w.leaseOwn(ctx)
	if err != nil {
		return err
	}
	defer c.release(ctx)
	if err := c.settle(ctx); err != nil {
		return err
	}
	return do(ctx, c)
}

// leaseChannel waits for any channel that can pay a fee, and has the channels
// looked after when there is none to wait for. When that does not help, because
// somebody has changed their signers for one, the deployer carries the transaction.
func (w *work) leaseChannel(ctx context.Context, fee int64) (*carrier, error) {
	if err := w.ensureChannels(ctx, w.journal); err != nil {
		return nil, err
	}
	least := channelReserve + fee
	lease, err := w.journal.Channel(ctx, w.networkID, w.Address(), w.opts.Channels, least)
	if errs.KindOf(err) == errs.KindNotFound {
		if _, err := w.ReconcileChannels(ctx, w.journal); err != nil {
			return nil, err
		}
		lease, err = w.journal.Channel(ctx, w.networkID, w.Address(), w.opts.Channels, least)
	}
	if errs.KindOf(err) == errs.KindNotFound {
		return w.leaseOwn(ctx)
	}
	if err != nil {
		return nil, err
	}
	key, err := w.channelKey(lease.Channel())
	if err != nil {
		_ = lease.Release(ctx, txlog.AccountRelease{Sequence: lease.Sequence()})
		return nil, err
	}
	return w.carrier(ctx, lease, key)
}

// channel reports whether the account is not the deployer itself.
func (c *carrier) channel() bool { return c.lease.Channel() >= 0 }

// release gives the account back. A failure must not hide what became of the
// transaction; the lease ends with the run's own at the latest.
func (c *carrier) release(ctx context.Context) {
	rest := txlog.AccountRelease{Sequence: c.last, DisabledReason: c.outOfUse}
	if c.open && c.channel() {
		rest.Quarantine = c.rpc.rest.tempo.ledgers(2, quarantine)
	}
	_ = c.lease.Release(ctx, rest)
}

// settle finds out what became of the transactions that earlier users of the
// account left open, of whichever tenant: they hold its next sequence numbers.
// What was stored and perhaps never sent is sent now, as long as it may live; the
// tenant it is for will find its contract there. What the network does not want any
// more is waited for until it is dead, and is no fault of this work.
func (c *carrier) settle(ctx context.Context) error {
	for _, tx := range c.lease.Unresolved() {
		c.open = true
		end, err := c.find(ctx, tx)
		if err != nil {
			return err
		}
		if err := c.resolve(ctx, tx, end); err != nil {
			return err
		}
		c.open = false
		if tx.ContractID != "" && tx.ContractID == c.mine {
			c.claim(tx, end)
		}
	}
	return nil
}

// resolve records what became of a transaction of this account.
func (c *carrier) resolve(ctx context.Context, tx txlog.Transaction, end ending) error {
	if err := c.lease.Resolve(ctx, tx.Hash, end.Outcome); err != nil {
		return err
	}
	c.noticed(end)
	switch {
	case end.code == xdr.TransactionResultCodeTxBadSeq: // Applied or not, the number is another one than was thought.
		c.last = 0
	case end.State == txlog.StateSucceeded, end.State == txlog.StateFailed:
		c.last = max(c.last, tx.Sequence)
	}
	return nil
}

// number makes sure that the sequence number is known, and gives the account if
// it had to be asked for. A server that does not know yet what the journal knows is
// waited for, up to lagPatience: test networks are begun anew.
func (c *carrier) number(ctx context.Context) (*xdr.AccountEntry, error) {
	if c.last > 0 {
		return nil, nil
	}
	var account *xdr.AccountEntry
	_, err := c.untilFresh(ctx, func() (bool, error) {
		found, _, err := c.lookUp(ctx, c.looks, accountKey(c.id))
		if err != nil {
			return false, err
		}
		account, err = accountOf(found[0])
		return account != nil && int64(account.SeqNum) >= c.lease.AppliedSequence(), err
	})
	if err != nil {
		return nil, err
	}
	if account != nil {
		c.last = int64(account.SeqNum)
	}
	return account, nil
}

// doubt forgets a number that the ledger does not have. Numbers never go back,
// except where a test network was begun anew.
func (c *carrier) doubt(number int64) {
	if number < c.last {
		c.last = 0
	}
}

// least is a sequence number that the account has at least: what its last user
// knew, or what the journal knows.
func (c *carrier) least() int64 {
	if c.last > 0 {
		return c.last
	}
	return c.lease.AppliedSequence()
}

// blame takes a channel out of use whose own fault a refusal is; another one is
// tried then.
func (c *carrier) blame(end ending) {
	if !c.channel() || end.State != txlog.StateRejected && end.State != txlog.StateExpired {
		return
	}
	switch end.code {
	case xdr.TransactionResultCodeTxInsufficientBalance:
		c.outOfUse = outOfUsePoor
	case xdr.TransactionResultCodeTxNoAccount:
		c.outOfUse = outOfUseMissing
	case xdr.TransactionResultCodeTxBadAuth, xdr.TransactionResultCodeTxBadAuthExtra:
		c.outOfUse = outOfUseSigners
	}
}

// perform does one act, as often as it takes until it was applied with success.
func (w *work) perform(ctx context.Context, a *act) error {
	for range maxRounds {
		done, err := w.once(ctx, a)
		if err != nil {
			return err
		}
		if done == nil {
			continue
		}
		if err := w.react(ctx, *done); err != nil || done.end.State == txlog.StateSucceeded {
			return err
		}
	}
	return w.unsettled()
}

// once tries an act: on a channel, or on the deployer's own account where there are
// none, only one caller may do it, or it costs more than a channel has. The
// simulation comes first, so that the account is held for no longer than it takes
// to send and know. A nil attempt is worth another round.
func (w *work) once(ctx context.Context, a *act) (*attempt, error) {
	built, err := w.build(ctx, a)
	if err != nil || built == nil {
		return nil, err
	}
	if fee := built.resource + built.inclusion; !a.shared && w.opts.Channels > 0 && fee <= channelCarries {
		return w.onFreeChannel(ctx, *built)
	}
	c, err := w.leaseOwn(ctx)
	if err != nil {
		return nil, err
	}
	defer c.release(ctx)
	return w.onCarrier(ctx, *built, c)
}

// settleOwn finds out what became of this contract's own transactions.
func (w *work) settleOwn(ctx context.Context) error {
	known, err := w.journal.ContractHistory(ctx, w.networkID, w.mine)
	if err != nil {
		return err
	}
	w.known, w.asOf = known.Ledger, known.AsOf
	for _, tx := range known.Open {
		end, err := w.find(ctx, tx)
		if err != nil {
			return err
		}
		if err := w.journal.Resolve(ctx, tx.Hash, end.Outcome); err != nil {
			return err
		}
		w.noticed(end)
		w.claim(tx, end)
	}
	return nil
}

// settleBusy finds out what became of the transaction of somebody else that kept
// this work's own from being stored.
func (w *work) settleBusy(ctx context.Context) error {
	if !w.busy {
		return nil
	}
	w.busy = false
	return w.settleOwn(ctx)
}

// noticed remembers where something was applied: older views are stale.
func (w *work) noticed(end ending) {
	if end.State == txlog.StateSucceeded || end.State == txlog.StateFailed {
		w.seen = max(w.seen, end.Ledger)
	}
}

// find finds out what became of a transaction that an earlier run left open.
func (w *work) find(ctx context.Context, tx txlog.Transaction) (ending, error) {
	p, err := w.pursue(tx)
	if err != nil {
		return ending{}, err
	}
	p.uncertain = true
	end, err := p.ask(ctx)
	if err != nil || end != nil {
		return given(end), err
	}
	return p.run(ctx)
}
