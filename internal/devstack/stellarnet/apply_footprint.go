package stellarnet

import (
	"context"
	"fmt"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

// extendTTL extends the lifetimes of the read-only footprint. It skips entries that are
// missing, archived, or live longer already; unused fees are refunded.
func (o *opRun) extendTTL(ctx context.Context, extendTo uint32) (bool, error) {
	liveUntil := o.env.seq + extendTo
	var changes []host.RentChange
	for _, key := range o.tx.tx.soroban().Resources.Footprint.ReadOnly {
		name := keyOf(key)
		r, ok := o.state.get(name)
		if !ok || r.expired(o.env.seq) || r.liveUntil >= liveUntil {
			continue
		}
		if !o.network.limits.allowsSize(key, len(r.xdr)) {
			o.result = extendResult(xdr.ExtendFootprintTtlResultCodeExtendFootprintTtlResourceLimitExceeded)
			return false, nil
		}
		changes = append(changes, o.network.rentChange(key, r, r.liveUntil, liveUntil))
		o.state.extend(name, liveUntil)
	}
	paid, err := o.consumeRent(ctx, changes)
	if err != nil {
		return false, err
	}
	if !paid {
		o.result = extendResult(xdr.ExtendFootprintTtlResultCodeExtendFootprintTtlInsufficientRefundableFee)
		return false, nil
	}
	o.result = extendResult(xdr.ExtendFootprintTtlResultCodeExtendFootprintTtlSuccess)
	return true, nil
}

// restoreFootprint restores the archived entries of the read-write footprint, with the
// shortest lifetime of a persistent entry.
func (o *opRun) restoreFootprint(ctx context.Context) (bool, error) {
	resources := o.tx.tx.soroban().Resources
	liveUntil := o.env.seq + o.network.limits.minPersistentTTL - 1
	var changes []host.RentChange
	size := 0
	for _, key := range resources.Footprint.ReadWrite {
		name := keyOf(key)
		r, ok := o.state.get(name)
		if !ok || !r.expired(o.env.seq) {
			continue
		}
		size += len(r.xdr)
		if size > int(resources.DiskReadBytes) || size > int(resources.WriteBytes) || !o.network.limits.allowsSize(key, len(r.xdr)) {
			o.addDiagnostic(xdr.ScErrorTypeSceBudget, xdr.ScErrorCodeScecExceededLimit,
				"operation byte-read or byte-write resources exceeds amount specified", u64Val(uint64(size)))
			o.result = restoreResult(xdr.RestoreFootprintResultCodeRestoreFootprintResourceLimitExceeded)
			return false, nil
		}
		changes = append(changes, o.network.rentChange(key, r, 0, liveUntil))
		o.state.restore(name, liveUntil)
	}
	paid, err := o.consumeRent(ctx, changes)
	if err != nil {
		return false, err
	}
	if !paid {
		o.result = restoreResult(xdr.RestoreFootprintResultCodeRestoreFootprintInsufficientRefundableFee)
		return false, nil
	}
	o.result = restoreResult(xdr.RestoreFootprintResultCodeRestoreFootprintSuccess)
	return true, nil
}

func (o *opRun) consumeRent(ctx context.Context, changes []host.RentChange) (bool, error) {
	if len(changes) == 0 {
		return true, nil
	}
	lookup := o.network.lookup(o.state, o.env.seq)
	rent, err := o.network.host.RentFee(ctx, lookup, o.network.hostLedger(o.env.seq, o.env.closeTime), changes)
	if err != nil {
		return false, fmt.Errorf("price rent: %w", err)
	}
	return o.consumeFee(ctx, rent, 0)
}
