package soroban

import (
	"context"
	"errors"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

const (
	// maxRounds bounds one deployment as a whole; the longest way that makes sense
	// has half as many.
	maxRounds = 16
	// simulationGood is how long a simulation serves while its transaction waits for
	// an account to carry it. Prices hardly move in that time; the margin covers them.
	simulationGood = time.Minute
)

// Deploy makes sure that the tenant's contract exists and is the right one: look,
// do what is missing, verify. Its errors are KindPermanent when somebody has to
// act (fund the account, raise a ceiling, correct the network), KindTransient
// when the network or the server is at fault, KindCancelled when ctx ended, and the
// journal's own, KindFenced above all.
func (d *Deployer) Deploy(ctx context.Context, t tenant.Tenant, journal txlog.Log) (contracts.Contract, error) {
	to, err := d.target(t.ID)
	if err != nil {
		return contracts.Contract{}, err
	}
	if err := d.checkNetwork(ctx); err != nil {
		return contracts.Contract{}, err
	}
	r := &deployment{work: work{Deployer: d, journal: journal, mine: to.address}, to: to}
	r.contract = d.described(to)
	// The run before may have died between sending and knowing. What it has signed
	// comes first, whichever account carried it.
	if err := r.settleOwn(ctx); err != nil {
		return contracts.Contract{}, err
	}
	if err := r.complete(ctx); err != nil {
		return contracts.Contract{}, err
	}
	return r.contract, nil
}

// described is what is known of a contract that exists already.
func (d *Deployer) described(t target) contracts.Contract {
	return contracts.Contract{ID: t.address, WasmHash: d.CurrentCode(), Network: d.opts.Passphrase}
}

// deployment is one Deploy.
type deployment struct {
	work
	to target
}

// work is what transactions are sent for, and what came of it so far.
type work struct {
	*Deployer
	journal  txlog.Log
	mine     string // The contract whose transactions count as this work's own.
	contract contracts.Contract

	seen     uint32    // A ledger in which something was applied; older views are stale.
	known    uint32    // The same from the journal, which may be of a network that was begun anew since.
	floor    int64     // The least inclusion fee, once the network asked for more.
	tries    int       // Transactions that came to nothing and cost nothing.
	failures int       // Transactions that came to nothing and cost their fee.
	puzzles  int       // Simulations that failed.
	asOf     time.Time // When the journal was asked about the contract.
	busy     bool      // Somebody else has a transaction about the contract on its way.
}

// complete goes round until the ledger shows the contract, alive and verified.
func (r *deployment) complete(ctx context.Context) error {
	for range maxRounds {
		if err := r.settleBusy(ctx); err != nil {
			return err
		}
		v, err := r.current(ctx, 0)
		if err != nil {
			return err
		}
		next, err := r.plan(r.to, v)
		switch {
		case next == nil || err != nil:
			return err
		case v.account == nil:
			return r.noAccount()
		case next.shared || r.opts.Channels == 0:
			err = r.withOwn(ctx, r.exclusively)
		default:
			err = r.attempt(ctx, next)
		}
		if err != nil {
			return err
		}
	}
	return r.unsettled()
}

func (w *work) unsettled() error {
	return errs.Errorf(errs.KindTransient, "deploy contract",
		"the ledger kept changing while the contract was deployed")
}

// exclusively does what only one caller at a time may do, with the deployer's own
// account, and the rest as well where there are no channels. Before that it looks
// again: who had the account before may have done it all.
func (r *deployment) exclusively(ctx context.Context, c *carrier) error {
	for range maxRounds {
		v, err := r.current(ctx, c.least())
		if err != nil {
			return err
		}
		c.doubt(v.sequence())
		next, err := r.plan(r.to, v)
		if next == nil || err != nil || r.busy || !next.shared && r.opts.Channels > 0 {
			return err
		}
		if v.account == nil {
			return r.noAccount()
		}
		c.last = v.sequence()
		if err := r.step(ctx, next, c, v.account); err != nil {
			return err
		}
	}
	return r.unsettled()
}

// current is a look that is not older than what is known already: a ledger in
// which something was applied, and a sequence number of the deployer. On an old view
// the contract would be missing that was created just now. What only the journal
// knows is waited for no longer than lagPatience: test networks are begun anew.
func (r *deployment) current(ctx context.Context, number int64) (v view, err error) {
	fresh, err := r.untilFresh(ctx, func() (_ bool, err error) {
		v, err = r.look(ctx, r.to.id, r.account)
		return v.ledger >= max(r.seen, r.known) && v.sequence() >= number, err
	})
	switch {
	case err != nil || fresh:
		return v, err
	case v.ledger < r.seen:
		return v, r.behind(v.ledger)
	}
	r.known = 0
	return v, nil
}

// behind is the error of a server that does not catch up with what is known.
func (w *work) behind(ledger uint32) error {
	return errs.Errorf(errs.KindTransient, "read ledger entries",
		"the Stellar RPC server is behind the network: it knows ledger %d, a transaction was applied in %d", ledger, w.seen)
}

// step does one act on an account that is leased already. Success and what is
// worth another round both return nil: the next look tells them apart.
func (w *work) step(ctx context.Context, a *act, c *carrier, account *xdr.AccountEntry) error {
	built, err := w.build(ctx, a)
	if err != nil || built == nil {
		return err
	}
	done, err := w.carry(ctx, *built, c, account)
	if err != nil || done == nil {
		return err
	}
	return w.react(ctx, *done)
}

// build puts a transaction together and chooses what to bid for its place. Nil is
// worth another round.
func (w *work) build(ctx context.Context, a *act) (*assembled, error) {
	built, err := w.assemble(ctx, a)
	if err != nil {
		return nil, w.unbuilt(ctx, a, err)
	}
	built.inclusion, err = w.bid(ctx, built, w.floor)
	if errs.KindOf(err) == errs.KindPermanent && built.restores() {
		// The code went to the archive after the look. To bring it back has a ceiling
		// of its own; the next look will show it.
		return nil, w.puzzled(ctx, a, &simulationError{text: "something has to be restored first", err: err})
	}
	if err != nil {
		return nil, err
	}
	return &built, nil
}

func (w *work) onFreeChannel(ctx context.Context, built assembled) (*attempt, error) {
	c, err := w.leaseChannel(ctx, built.resource+built.inclusion)
	if err != nil {
		return nil, err
	}
	defer c.release(ctx)
	return w.onCarrier(ctx, built, c)
}

// onCarrier sends what was built with an account that is leased for it.
func (w *work) onCarrier(ctx context.Context, built assembled, c *carrier) (*attempt, error) {
	if err := c.settle(ctx); err != nil {
		return nil, err
	}
	if w.opts.Clock.Now().Sub(built.at) > simulationGood {
		return nil, nil // Another round, with another simulation.
	}
	account, err := c.number(ctx)
	if err != nil {
		return nil, err
	}
	return w.carry(ctx, built, c, account)
}

// unbuilt reacts to a transaction that could not be put together.
func (w *work) unbuilt(ctx context.Context, a *act, err error) error {
	var fault *simulationError
	if errors.As(err, &fault) {
		return w.puzzled(ctx, a, fault)
	}
	return err
}

// carry signs, stores and sends a transaction, and follows it to its end. A nil
// attempt is worth another round.
func (w *work) carry(ctx context.Context, built assembled, c *carrier, account *xdr.AccountEntry) (*attempt, error) {
	tx, err := w.sign(ctx, built, c)
	if err != nil {
		return nil, err
	}
	err = c.lease.Store(ctx, tx)
	if errors.Is(err, txlog.ErrContractBusy) && w.mine != "" {
		w.busy = true // Another round, once it is known what became of the other one.
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := w.pursue(tx)
	if err != nil {
		return nil, err
	}
	p.outbid = func(ctx context.Context, least int64) (bool, error) { return w.outbid(ctx, p, built, c, least) }
	c.open = true
	end, err := p.run(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.resolve(ctx, p.tx, end); err != nil {
		return nil, err
	}
	c.open = false
	c.blame(end)
	w.claim(p.tx, end)
	return &attempt{act: built.act, tx: p.tx, end: end, resource: built.resource, carrier: c, account: account}, nil
}

// claim puts a transaction of this contract into the account of this work.
func (w *work) claim(tx txlog.Transaction, end ending) {
	w.contract.FeeCharged += end.FeeCharged
	if tx.Purpose == txlog.PurposeCreate && end.State == txlog.StateSucceeded {
		w.contract.TransactionHash, w.contract.Ledger = tx.Hash, end.Ledger
	}
}
