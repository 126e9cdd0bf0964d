package host

// The responses with more than two fields, in the order in which rust/src writes them.

func (d *decoder) simulateResult() SimulateResult {
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
	return r
}

func (d *decoder) invokeResult() InvokeResult {
	r := InvokeResult{
		Error:           string(d.bytes()),
		ErrorIsResource: d.bool(),
		Result:          d.bytes(),
	}
	for n := d.u32(); n > 0 && d.err == nil; n-- {
		r.Entries = append(r.Entries, EntryChange{
			Key:          d.bytes(),
			ReadOnly:     d.bool(),
			New:          d.option(),
			Deleted:      d.bool(),
			OldLiveUntil: d.u32(),
			NewLiveUntil: d.u32(),
		})
	}
	r.Events = d.list()
	r.EventsBytes = d.u32()
	r.RentFee = d.i64()
	r.DiagnosticEvents = d.list()
	r.CPUInstructions = d.u64()
	r.MemoryBytes = d.u64()
	return r
}
