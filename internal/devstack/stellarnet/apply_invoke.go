package stellarnet

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

// invoke runs a host function as validators do: with only the entries of the footprint,
// within the declared resources.
func (o *opRun) invoke(ctx context.Context, op *xdr.InvokeHostFunctionOp) (bool, error) {
	data := o.tx.tx.soroban()
	entries, ok := o.readFootprint(data)
	if !ok {
		return false, nil
	}
	out, err := o.network.host.Invoke(ctx, o.network.lookup(o.state, o.env.seq), host.InvokeRequest{
		Ledger:            o.network.hostLedger(o.env.seq, o.env.closeTime),
		HostFunction:      marshal(op.HostFunction),
		Resources:         marshal(data.Resources),
		RestoredRWIndices: archivedIndices(data),
		Source:            marshal(o.source),
		Auth:              marshalAll(op.Auth),
		PRNGSeed:          o.seed(),
		Entries:           entries,
	})
	if err != nil {
		return false, fmt.Errorf("run host function: %w", err)
	}
	if err := o.addDiagnostics(out.DiagnosticEvents); err != nil {
		return false, err
	}
	if out.Error != "" {
		o.network.log.Debug("host function failed", "hash", o.tx.tx.hash.HexString(), "error", out.Error)
		code := xdr.InvokeHostFunctionResultCodeInvokeHostFunctionTrapped
		if out.ErrorIsResource {
			code = xdr.InvokeHostFunctionResultCodeInvokeHostFunctionResourceLimitExceeded
		}
		return o.failInvoke(code), nil
	}
	return o.finishInvoke(ctx, data, out)
}

func (o *opRun) failInvoke(code xdr.InvokeHostFunctionResultCode) bool {
	o.result = invokeResult(code)
	return false
}

// readFootprint collects the entries of the footprint, read-only ones first. An archived
// entry fails the operation unless it is marked for restoring.
func (o *opRun) readFootprint(data *xdr.SorobanTransactionData) ([]host.EntryWithTTL, bool) {
	var entries []host.EntryWithTTL
	diskBytes := 0
	archived := archivedIndices(data)
	footprint := data.Resources.Footprint
	for _, key := range footprint.ReadOnly {
		entry, ok := o.readEntry(key, false, &diskBytes)
		if !ok {
			return nil, false
		}
		entries = append(entries, entry)
	}
	for i, key := range footprint.ReadWrite {
		entry, ok := o.readEntry(key, slices.Contains(archived, uint32(i)), &diskBytes)
		if !ok {
			return nil, false
		}
		entries = append(entries, entry)
	}
	if diskBytes > int(data.Resources.DiskReadBytes) {
		o.addDiagnostic(xdr.ScErrorTypeSceBudget, xdr.ScErrorCodeScecExceededLimit,
			"operation byte-read resources exceeds amount specified",
			u64Val(uint64(diskBytes)), u64Val(uint64(data.Resources.DiskReadBytes)))
		return nil, o.failInvoke(xdr.InvokeHostFunctionResultCodeInvokeHostFunctionResourceLimitExceeded)
	}
	return entries, true
}

func (o *opRun) readEntry(key xdr.LedgerKey, restore bool, diskBytes *int) (host.EntryWithTTL, bool) {
	name := keyOf(key)
	item := host.EntryWithTTL{Key: []byte(name)}
	r, ok := o.state.get(name)
	if ok && r.expired(o.env.seq) {
		switch {
		case !isPersistent(key):
			ok = false
		case restore:
			o.state.restore(name, o.env.seq+o.network.limits.minPersistentTTL-1)
			r, _ = o.state.get(name)
			*diskBytes += len(r.xdr)
		default:
			o.addArchivedDiagnostic(key)
			return item, o.failInvoke(xdr.InvokeHostFunctionResultCodeInvokeHostFunctionEntryArchived)
		}
	}
	if !ok {
		return item, true
	}
	if !o.network.limits.allowsSize(key, len(r.xdr)) {
		return item, o.failInvoke(xdr.InvokeHostFunctionResultCodeInvokeHostFunctionResourceLimitExceeded)
	}
	item.Entry = r.xdr
	if hasTTL(key) {
		liveUntil := r.liveUntil
		item.LiveUntil = &liveUntil
	} else {
		*diskBytes += len(r.xdr)
	}
	return item, true
}

// finishInvoke writes the host's changes back, if they were declared and paid for.
func (o *opRun) finishInvoke(
	ctx context.Context, data *xdr.SorobanTransactionData, out host.InvokeResult,
) (bool, error) {
	written, err := o.writeBack(out.Entries)
	if err != nil {
		return false, err
	}
	if written > int(data.Resources.WriteBytes) {
		o.addDiagnostic(xdr.ScErrorTypeSceBudget, xdr.ScErrorCodeScecExceededLimit,
			"operation byte-write resources exceeds amount specified",
			u64Val(uint64(written)), u64Val(uint64(data.Resources.WriteBytes)))
		return o.failInvoke(xdr.InvokeHostFunctionResultCodeInvokeHostFunctionResourceLimitExceeded), nil
	}
	if uint64(out.EventsBytes) > o.network.limits.txEventsSize {
		return o.failInvoke(xdr.InvokeHostFunctionResultCodeInvokeHostFunctionResourceLimitExceeded), nil
	}
	paid, err := o.consumeFee(ctx, out.RentFee, out.EventsBytes)
	if err != nil {
		return false, err
	}
	if !paid {
		return o.failInvoke(xdr.InvokeHostFunctionResultCodeInvokeHostFunctionInsufficientRefundableFee), nil
	}
	image := xdr.InvokeHostFunctionSuccessPreImage{Events: make([]xdr.ContractEvent, len(out.Events))}
	if err := xdr.SafeUnmarshal(out.Result, &image.ReturnValue); err != nil {
		return false, fmt.Errorf("decode return value: %w", err)
	}
	for i := range out.Events {
		if err := xdr.SafeUnmarshal(out.Events[i], &image.Events[i]); err != nil {
			return false, fmt.Errorf("decode event %d: %w", i, err)
		}
	}
	o.events = image.Events
	o.tx.returnValue = &image.ReturnValue
	o.result = invokeSuccess(sha256.Sum256(marshal(image)))
	return true, nil
}

// writeBack returns the number of bytes that count as written; TTLs do not count.
func (o *opRun) writeBack(changes []host.EntryChange) (int, error) {
	written := 0
	for _, change := range changes {
		name := string(change.Key)
		switch {
		case change.Deleted:
			if _, ok := o.state.get(name); ok {
				o.state.remove(name)
			}
		case change.New != nil:
			var le xdr.LedgerEntry
			if err := xdr.SafeUnmarshal(change.New, &le); err != nil {
				return 0, fmt.Errorf("decode changed entry: %w", err)
			}
			if err := o.state.put(le, change.NewLiveUntil); err != nil {
				return 0, fmt.Errorf("store changed entry: %w", err)
			}
			written += len(change.New)
		case change.NewLiveUntil > change.OldLiveUntil:
			o.state.extend(name, change.NewLiveUntil)
		}
	}
	return written, nil
}

// consumeFee charges rent and events to the refundable part of the fee.
func (o *opRun) consumeFee(ctx context.Context, rent int64, eventsBytes uint32) (bool, error) {
	var events int64
	if eventsBytes > 0 {
		cond := ledgerConditions{seq: o.env.seq, closeTime: o.env.closeTime}
		fee, err := o.network.resourceFee(ctx, o.state, o.tx.tx, cond, eventsBytes)
		if err != nil {
			return false, fmt.Errorf("price events: %w", err)
		}
		events = fee.Refundable
	}
	if o.tx.fees.consume(rent, events) {
		return true, nil
	}
	o.addDiagnostic(xdr.ScErrorTypeSceBudget, xdr.ScErrorCodeScecExceededLimit,
		"refundable resource fee is not sufficient to cover the rent fee and events",
		u64Val(uint64(o.tx.fees.refundableUsed)), u64Val(uint64(o.tx.fees.declared-o.tx.fees.nonRefundable)))
	return false, nil
}

func (o *opRun) addDiagnostics(raw [][]byte) error {
	for i := range raw {
		var event xdr.DiagnosticEvent
		if err := xdr.SafeUnmarshal(raw[i], &event); err != nil {
			return fmt.Errorf("decode diagnostic event %d: %w", i, err)
		}
		o.tx.diagnostics = append(o.tx.diagnostics, event)
	}
	return nil
}

func (o *opRun) addDiagnostic(errorType xdr.ScErrorType, code xdr.ScErrorCode, message string, args ...xdr.ScVal) {
	o.tx.diagnostics = append(o.tx.diagnostics, diagnosticError(errorType, code, message, args...))
}

func (o *opRun) addArchivedDiagnostic(key xdr.LedgerKey) {
	if key.Type == xdr.LedgerEntryTypeContractCode {
		hash := xdr.ScBytes(key.ContractCode.Hash[:])
		o.addDiagnostic(xdr.ScErrorTypeSceValue, xdr.ScErrorCodeScecInvalidInput,
			"trying to access an archived contract code entry",
			xdr.ScVal{Type: xdr.ScValTypeScvBytes, Bytes: &hash})
		return
	}
	contract := key.ContractData.Contract
	o.addDiagnostic(xdr.ScErrorTypeSceValue, xdr.ScErrorCodeScecInvalidInput,
		"trying to access an archived contract data entry",
		xdr.ScVal{Type: xdr.ScValTypeScvAddress, Address: &contract}, key.ContractData.Key)
}

func marshalAll(auth []xdr.SorobanAuthorizationEntry) [][]byte {
	out := make([][]byte, len(auth))
	for i := range auth {
		out[i] = marshal(auth[i])
	}
	return out
}
