package host

import (
	"context"
	"encoding/json"
)

// caller takes one request over the boundary and returns its answer's content.
type caller interface {
	call(ctx context.Context, lookup LookupFunc, export string, request []byte) (*decoder, error)
}

// calls is a Host, but for Close, on top of the one thing that crosses.
type calls struct{ to caller }

func ask[A any](ctx context.Context, c calls, lookup LookupFunc, export string, request []byte, read func(*decoder) A) (A, error) {
	d, err := c.to.call(ctx, lookup, export, request)
	if err != nil {
		var none A
		return none, err
	}
	a := read(d)
	return a, d.end()
}

// Simulate implements Host.
func (c calls) Simulate(ctx context.Context, lookup LookupFunc, r SimulateRequest) (SimulateResult, error) {
	return ask(ctx, c, lookup, "simulate", encodeSimulate(r), (*decoder).simulated)
}

// SimulateExtendTTL implements Host.
func (c calls) SimulateExtendTTL(ctx context.Context, lookup LookupFunc, r FootprintRequest) (SimulateResult, error) {
	return ask(ctx, c, lookup, "simulate_extend_ttl", encodeExtend(r), (*decoder).simulated)
}

// SimulateRestore implements Host.
func (c calls) SimulateRestore(ctx context.Context, lookup LookupFunc, r FootprintRequest) (SimulateResult, error) {
	return ask(ctx, c, lookup, "simulate_restore", encodeRestore(r), (*decoder).simulated)
}

// Invoke implements Host.
func (c calls) Invoke(ctx context.Context, lookup LookupFunc, r InvokeRequest) (InvokeResult, error) {
	return ask(ctx, c, lookup, "invoke", encodeInvoke(r), (*decoder).invoked)
}

// ResourceFee implements Host.
func (c calls) ResourceFee(ctx context.Context, lookup LookupFunc, r ResourceFeeRequest) (ResourceFee, error) {
	return ask(ctx, c, lookup, "resource_fee", encodeResourceFee(r), func(d *decoder) ResourceFee {
		return ResourceFee{NonRefundable: d.i64(), Refundable: d.i64()}
	})
}

// RentFee implements Host.
func (c calls) RentFee(ctx context.Context, lookup LookupFunc, l Ledger, changes []RentChange) (int64, error) {
	return ask(ctx, c, lookup, "rent_fee", encodeRentFee(l, changes), (*decoder).i64)
}

// XDRToJSON implements Host.
func (c calls) XDRToJSON(ctx context.Context, typeName string, xdr []byte) (json.RawMessage, error) {
	return ask(ctx, c, nil, "xdr_to_json", encodeXDRToJSON(typeName, xdr), func(d *decoder) json.RawMessage {
		return d.bytes()
	})
}
