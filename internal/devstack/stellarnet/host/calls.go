package host

import "context"

// Simulate implements Host.
func (p *pool) Simulate(ctx context.Context, lookup LookupFunc, r SimulateRequest) (SimulateResult, error) {
	var e encoder
	e.ledger(r.Ledger)
	e.bytes(r.HostFunction)
	e.bytes(r.Source)
	e.bool(r.Auth != nil)
	if r.Auth != nil {
		e.list(r.Auth)
	}
	e.bool(r.AllowNonRootAuth)
	e.bool(r.AddressV2)
	e.raw(r.PRNGSeed[:])
	return p.simulated(ctx, lookup, "simulate", e.b)
}

// SimulateExtendTTL implements Host.
func (p *pool) SimulateExtendTTL(ctx context.Context, lookup LookupFunc, r FootprintRequest) (SimulateResult, error) {
	var e encoder
	e.ledger(r.Ledger)
	e.list(r.Keys)
	e.u32(r.ExtendTo)
	return p.simulated(ctx, lookup, "simulate_extend_ttl", e.b)
}

// SimulateRestore implements Host.
func (p *pool) SimulateRestore(ctx context.Context, lookup LookupFunc, r FootprintRequest) (SimulateResult, error) {
	var e encoder
	e.ledger(r.Ledger)
	e.list(r.Keys)
	return p.simulated(ctx, lookup, "simulate_restore", e.b)
}

func (p *pool) simulated(ctx context.Context, lookup LookupFunc, export string, request []byte) (SimulateResult, error) {
	d, err := p.call(ctx, lookup, export, request)
	if err != nil {
		return SimulateResult{}, err
	}
	r := SimulateResult{
		Error:            string(d.bytes()),
		Result:           d.option(),
		Auth:             d.list(),
		TransactionData:  d.option(),
		MinResourceFee:   d.i64(),
		Events:           d.list(),
		DiagnosticEvents: d.list(),
	}
	for n := d.u32(); n > 0 && d.err == nil; n-- {
		r.Changes = append(r.Changes, Change{Key: d.option(), Before: d.option(), After: d.option()})
	}
	r.RestorePreamble = d.option()
	r.RestoreMinFee = d.i64()
	r.CPUInstructions = d.u64()
	r.MemoryBytes = d.u64()
	return r, d.end()
}

// Invoke implements Host.
func (p *pool) Invoke(ctx context.Context, lookup LookupFunc, r InvokeRequest) (InvokeResult, error) {
	d, err := p.call(ctx, lookup, "invoke", encodeInvoke(r))
	if err != nil {
		return InvokeResult{}, err
	}
	res := InvokeResult{
		Error:           string(d.bytes()),
		ErrorIsResource: d.bool(),
		Result:          d.bytes(),
	}
	for n := d.u32(); n > 0 && d.err == nil; n-- {
		res.Entries = append(res.Entries, EntryChange{
			Key:          d.bytes(),
			ReadOnly:     d.bool(),
			New:          d.option(),
			Deleted:      d.bool(),
			OldLiveUntil: d.u32(),
			NewLiveUntil: d.u32(),
		})
	}
	res.Events = d.list()
	res.EventsBytes = d.u32()
	res.RentFee = d.i64()
	res.DiagnosticEvents = d.list()
	res.CPUInstructions = d.u64()
	res.MemoryBytes = d.u64()
	return res, d.end()
}

func encodeInvoke(r InvokeRequest) []byte {
	var e encoder
	e.ledger(r.Ledger)
	e.bytes(r.HostFunction)
	e.bytes(r.Resources)
	e.count(len(r.RestoredRWIndices))
	for _, i := range r.RestoredRWIndices {
		e.u32(i)
	}
	e.bytes(r.Source)
	e.list(r.Auth)
	e.raw(r.PRNGSeed[:])
	e.count(len(r.Entries))
	for _, entry := range r.Entries {
		e.bytes(entry.Key)
		e.option(entry.Entry)
		e.optionU32(entry.LiveUntil)
	}
	return e.b
}

// ResourceFee implements Host.
func (p *pool) ResourceFee(ctx context.Context, lookup LookupFunc, r ResourceFeeRequest) (ResourceFee, error) {
	var e encoder
	e.ledger(r.Ledger)
	e.bytes(r.Resources)
	e.u32(r.TransactionSize)
	e.u32(r.EventsBytes)
	e.u32(r.ArchivedRestored)
	d, err := p.call(ctx, lookup, "resource_fee", e.b)
	if err != nil {
		return ResourceFee{}, err
	}
	fee := ResourceFee{NonRefundable: d.i64(), Refundable: d.i64()}
	return fee, d.end()
}

// RentFee implements Host.
func (p *pool) RentFee(ctx context.Context, lookup LookupFunc, l Ledger, changes []RentChange) (int64, error) {
	var e encoder
	e.ledger(l)
	e.count(len(changes))
	for _, c := range changes {
		e.bool(c.IsPersistent)
		e.bool(c.IsCode)
		e.u32(c.OldSize)
		e.u32(c.NewSize)
		e.u32(c.OldLiveUntil)
		e.u32(c.NewLiveUntil)
	}
	d, err := p.call(ctx, lookup, "rent_fee", e.b)
	if err != nil {
		return 0, err
	}
	fee := d.i64()
	return fee, d.end()
}
