package host

// The requests, with the fields in the order in which rust/src reads them.

func encodeSimulate(r SimulateRequest) []byte {
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
	return e.b
}

func encodeExtend(r FootprintRequest) []byte {
	var e encoder
	e.ledger(r.Ledger)
	e.list(r.Keys)
	e.u32(r.ExtendTo)
	return e.b
}

func encodeRestore(r FootprintRequest) []byte {
	var e encoder
	e.ledger(r.Ledger)
	e.list(r.Keys)
	return e.b
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

func encodeResourceFee(r ResourceFeeRequest) []byte {
	var e encoder
	e.ledger(r.Ledger)
	e.bytes(r.Resources)
	e.u32(r.TransactionSize)
	e.u32(r.EventsBytes)
	e.u32(r.ArchivedRestored)
	return e.b
}

func encodeRentFee(l Ledger, changes []RentChange) []byte {
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
	return e.b
}

func encodeXDRToJSON(typeName string, xdr []byte) []byte {
	var e encoder
	e.bytes([]byte(typeName))
	e.bytes(xdr)
	return e.b
}
