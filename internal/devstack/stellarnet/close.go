package stellarnet

import (
	"context"
	"fmt"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// CloseLedger closes a ledger now, with all queued transactions that are still valid,
// and returns its sequence number. It works together with the timer.
func (n *Network) CloseLedger(ctx context.Context) (uint32, error) {
	n.closeMu.Lock()
	defer n.closeMu.Unlock()
	return n.closeWithQueue(ctx)
}

// closeWithQueue closes the next ledger with the queued transactions.
func (n *Network) closeWithQueue(ctx context.Context) (uint32, error) {
	txs, onHold := n.queue.candidates()
	seq, _, err := n.closeLedger(ctx, ledgerInput{txs: txs, onHold: onHold, queueEligible: true})
	return seq, err
}

// closeWithTransaction closes a ledger with only this transaction. Queued ones keep
// waiting.
func (n *Network) closeWithTransaction(ctx context.Context, t *transaction) (*appliedTx, error) {
	n.closeMu.Lock()
	defer n.closeMu.Unlock()
	_, done, err := n.closeLedger(ctx, ledgerInput{txs: []*transaction{t}})
	if err != nil {
		return nil, err
	}
	if len(done) == 0 {
		return nil, fmt.Errorf("transaction %x was not valid", t.hash)
	}
	return done[0], nil
}

// closeLedger holds only the lock closing: readers see the previous ledger until the new
// one is committed completely.
func (n *Network) closeLedger(ctx context.Context, b ledgerInput) (uint32, []*appliedTx, error) {
	last := n.ledger.latest()
	env := applyContext{
		seq:       last.seq() + 1,
		closeTime: n.closeTimeAfter(last),
		seed:      last.header.Hash,
		prices:    minimumPrices,
	}
	state := n.ledger.viewAt(last.seq())
	valid, dropped, err := n.filterValid(ctx, state, env, b.txs)
	if err != nil {
		return 0, nil, err
	}
	var selected []*transaction
	if !b.onHold {
		selected, env.prices = selectByBid(valid, n.ledgerCapacity())
	}
	d := newStateDelta(state, env.seq)
	done, err := n.applyAll(ctx, env, d, selected)
	if err != nil {
		return 0, nil, err
	}
	n.ledger.commit(n.buildLedger(last, env, d, done), d)
	n.queue.ledgerClosed(env.seq, selected, dropped, b.queueEligible)
	for _, t := range dropped {
		n.log.Debug("transaction dropped from the queue", "hash", t.hash.HexString(), "ledger", env.seq)
	}
	return env.seq, done, nil
}

// closeTimeAfter is the close time of a ledger that closes now: time never decreases.
func (n *Network) closeTimeAfter(last *closedLedger) uint64 {
	return uint64(max(n.now().Unix(), last.closeTime()))
}

// filterValid separates the valid transactions from those that became invalid while they
// waited, which are dropped.
func (n *Network) filterValid(
	ctx context.Context, state stateReader, env applyContext, txs []*transaction,
) (valid, dropped []*transaction, err error) {
	for _, t := range txs {
		v, err := n.check(ctx, state, t, ledgerConditions{seq: env.seq, closeTime: env.closeTime})
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, nil, err
		case err != nil:
			n.log.Error("transaction could not be checked", "hash", t.hash.HexString(), "error", err)
			dropped = append(dropped, t)
		case !v.succeeded():
			dropped = append(dropped, t)
		default:
			valid = append(valid, t)
		}
	}
	return valid, dropped, nil
}

// ledgerCapacity is the capacity of the next ledger.
func (n *Network) ledgerCapacity() resources { return n.limits.capacity(n.faults.capacity()) }

// applyAll charges all fees first, then applies the transactions, then refunds unused
// fees, as the protocol does since version 23.
func (n *Network) applyAll(ctx context.Context, env applyContext, d *stateDelta, txs []*transaction) ([]*appliedTx, error) {
	done := make([]*appliedTx, len(txs))
	for i, t := range txs {
		done[i] = n.chargeFee(d, t, int32(i+1), env.prices)
	}
	for _, a := range done {
		err := n.apply(ctx, env, d, a)
		if err != nil && ctx.Err() != nil {
			return nil, fmt.Errorf("apply transaction %x: %w", a.tx.hash, err)
		}
		if err != nil {
			// The host failed, not the transaction. The transaction fails nevertheless,
			// as on the public network: otherwise no ledger would close any more.
			n.log.Error("transaction could not be applied", "hash", a.tx.hash.HexString(), "error", err)
			a.result.Result = xdr.TransactionResultResult{Code: xdr.TransactionResultCodeTxInternalError}
			a.fees.forfeitRefundable()
		}
	}
	for _, a := range done {
		n.refund(d, a)
		a.seq, a.closeTime = env.seq, int64(env.closeTime)
		a.meta = a.buildMeta()
	}
	return done, nil
}

// closePeriodically closes ledgers on a timer.
func (n *Network) closePeriodically(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if _, err := n.CloseLedger(ctx); err != nil && ctx.Err() == nil {
				n.log.Error("ledger did not close", "error", err)
			}
		}
	}
}

// applyContext is the ledger that is being applied.
type applyContext struct {
	seq       uint32
	closeTime uint64
	seed      xdr.Hash // Random seed for contracts: differs per ledger, public.
	prices    basePrices
}

// ledgerInput is the input of a new ledger.
type ledgerInput struct {
	txs           []*transaction
	onHold        bool // No queued transaction may get in; expired ones are dropped all the same.
	queueEligible bool // The queue was allowed to fill it.
}
