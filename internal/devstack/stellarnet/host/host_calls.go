package host

import (
	"context"
	"encoding/json"
)

// caller sends one request to the host and returns the content of its response.
type caller interface {
	call(ctx context.Context, lookup LookupFunc, export string, request []byte) (*decoder, error)
}

// hostCalls implements Host, except for Close, with a caller.
type hostCalls struct{ caller caller }

func callExport[A any](ctx context.Context, c hostCalls, lookup LookupFunc, export string, request []byte, read func(*decoder) A) (A, error) {
	d, err := c.caller.call(ctx, lookup, export, request)
	if err != nil {
		var none A
		return none, err
	}
	a := read(d)
	return a, d.finish()
}

// Simulate implements Host.
func (c hostCalls) Simulate(ctx context.Context, lookup LookupFunc, r SimulateRequest) (SimulateResult, error) {
	return callExport(ctx, c, lookup, "simulate", encodeSimulate(r), (*decoder).simulateResult)
}

// SimulateExtendTTL implements Host.
func (c hostCalls) SimulateExtendTTL(ctx context.Context, lookup LookupFunc, r FootprintRequest) (SimulateResult, error) {
	return callExport(ctx, c, lookup, "simulate_extend_ttl", encodeExtend(r), (*decoder).simulateResult)
}

// SimulateRestore implements Host.
func (c hostCalls) SimulateRestore(ctx context.Context, lookup LookupFunc, r FootprintRequest) (SimulateResult, error) {
	return callExport(ctx, c, lookup, "simulate_restore", encodeRestore(r), (*decoder).simulateResult)
}

// Invoke implements Host.
func (c hostCalls) Invoke(ctx context.Context, lookup LookupFunc, r InvokeRequest) (InvokeResult, error) {
	return callExport(ctx, c, lookup, "invoke", encodeInvoke(r), (*decoder).invokeResult)
}

// ResourceFee implements Host.
func (c hostCalls) ResourceFee(ctx context.Context, lookup LookupFunc, r ResourceFeeRequest) (ResourceFee, error) {
	return callExport(ctx, c, lookup, "resource_fee", encodeResourceFee(r), func(d *decoder) ResourceFee {
		return ResourceFee{NonRefundable: d.i64(), Refundable: d.i64()}
	})
}

// RentFee implements Host.
func (c hostCalls) RentFee(ctx context.Context, lookup LookupFunc, l Ledger, changes []RentChange) (int64, error) {
	return callExport(ctx, c, lookup, "rent_fee", encodeRentFee(l, changes), (*decoder).i64)
}

// XDRToJSON implements Host.
func (c hostCalls) XDRToJSON(ctx context.Context, typeName string, xdr []byte) (json.RawMessage, error) {
	return callExport(ctx, c, nil, "xdr_to_json", encodeXDRToJSON(typeName, xdr), func(d *decoder) json.RawMessage {
		return d.bytes()
	})
}
