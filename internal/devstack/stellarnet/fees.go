package stellarnet

import (
	"context"
	"fmt"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

// sorobanFees tracks a contract transaction's resource fee: the fixed part, the
// refundable part for rent and events, and how much of that is used.
type sorobanFees struct {
	priced         bool // Whether the transaction got as far as pricing.
	declared       int64
	nonRefundable  int64
	refundableUsed int64 // Consumed: rent and events.
	rentUsed       int64 // Part of refundable.
}

// consume charges rent and events, or reports that they exceed the declared fee.
func (f *sorobanFees) consume(rent, events int64) bool {
	f.rentUsed += rent
	f.refundableUsed += rent + events
	return f.refundableUsed <= f.declared-f.nonRefundable
}

// forfeitRefundable: a failed transaction pays neither rent nor events.
func (f *sorobanFees) forfeitRefundable() { f.refundableUsed, f.rentUsed = 0, 0 }

func (f *sorobanFees) refund() int64 { return f.declared - f.nonRefundable - f.refundableUsed }

// chargeFee charges the whole fee to the account that pays it: the ledger's price for a
// place, at most the bid, and the declared resource fee.
func (n *Network) chargeFee(d *stateDelta, t *transaction, order int32, prices basePrices) *appliedTx {
	a := &appliedTx{tx: t, order: order, result: initialResult(t.innermostTx())}
	a.fees.declared = t.resourceFeeBid()
	fee := a.fees.declared + min(t.inclusionFee(), prices.forTransaction(t)*t.operationCount())
	feeDelta := newStateDelta(d, d.seq)
	acc := loadAccount(feeDelta, t.feeSource())
	fee = min(fee, int64(acc.Balance))
	acc.Balance -= xdr.Int64(fee)
	feeDelta.putAccount(acc)
	a.feeChanges = feeDelta.changes()
	feeDelta.mergeInto(d)

	a.result.FeeCharged = xdr.Int64(fee)
	a.events = append(a.events,
		n.feeEvent(xdr.TransactionEventStageTransactionEventStageBeforeAllTxs, t.feeSource(), fee))
	return a
}

// refund refunds the unused part of a contract transaction's fee.
func (n *Network) refund(d *stateDelta, a *appliedTx) {
	a.refundChanges = xdr.LedgerEntryChanges{}
	amount := a.fees.refund()
	if amount <= 0 || !a.fees.priced {
		return
	}
	refundDelta := newStateDelta(d, d.seq)
	acc := loadAccount(refundDelta, a.tx.feeSource())
	if acc == nil {
		return
	}
	acc.Balance += xdr.Int64(amount)
	refundDelta.putAccount(acc)
	a.refundChanges = refundDelta.changes()
	refundDelta.mergeInto(d)

	a.result.FeeCharged -= xdr.Int64(amount)
	a.events = append(a.events,
		n.feeEvent(xdr.TransactionEventStageTransactionEventStageAfterAllTxs, a.tx.feeSource(), -amount))
}

// priceResources prices the declared resources before the transaction runs.
func (n *Network) priceResources(ctx context.Context, env applyContext, d *stateDelta, a *appliedTx) error {
	fee, err := n.resourceFee(ctx, d, a.tx, ledgerConditions{seq: env.seq, closeTime: env.closeTime}, 0)
	if err != nil {
		return fmt.Errorf("price resources: %w", err)
	}
	a.fees.priced, a.fees.nonRefundable = true, fee.NonRefundable
	return nil
}

// resourceFee queries the host for the price of a transaction's declared resources, with
// that many bytes of events and return value.
func (n *Network) resourceFee(
	ctx context.Context, state stateReader, t *transaction, cond ledgerConditions, eventsBytes uint32,
) (host.ResourceFee, error) {
	restored := len(archivedIndices(t.soroban()))
	if t.operations()[0].Body.Type == xdr.OperationTypeRestoreFootprint {
		restored = len(t.soroban().Resources.Footprint.ReadWrite)
	}
	return n.host.ResourceFee(ctx, n.lookup(state, cond.seq), host.ResourceFeeRequest{
		Ledger:           n.hostLedger(cond.seq, cond.closeTime),
		Resources:        marshal(t.soroban().Resources),
		TransactionSize:  t.pricedSize(),
		EventsBytes:      eventsBytes,
		ArchivedRestored: uint32(restored),
	})
}

// hostLedger describes the ledger that is being applied to the host.
func (n *Network) hostLedger(seq uint32, closeTime uint64) host.Ledger {
	return host.Ledger{
		ProtocolVersion: protocolVersion,
		Sequence:        seq,
		Timestamp:       closeTime,
		NetworkID:       n.networkID,
		BaseReserve:     baseReserve,
	}
}

// lookup lets the host read a state as of ledger seq. Archived entries are found with
// their ended lifetime; expired temporary ones are not found.
func (n *Network) lookup(state stateReader, seq uint32) host.LookupFunc {
	return func(raw []byte) ([]byte, *uint32, error) {
		r, ok := state.get(string(raw))
		if !ok {
			return nil, nil, nil
		}
		if r.liveUntil == 0 {
			return r.xdr, nil, nil
		}
		if r.expired(seq) {
			var key xdr.LedgerKey
			if err := xdr.SafeUnmarshal(raw, &key); err != nil {
				return nil, nil, fmt.Errorf("decode ledger key: %w", err)
			}
			if !isPersistent(key) {
				return nil, nil, nil
			}
		}
		liveUntil := r.liveUntil
		return r.xdr, &liveUntil, nil
	}
}
