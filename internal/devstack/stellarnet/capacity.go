package stellarnet

// resources is the use or the capacity of a ledger. Classic transactions count only in
// operations, contract transactions in all other resources, so neither kind takes room
// from the other.
type resources struct {
	operations               uint64
	txs, instructions, bytes uint64
	diskBytes, diskEntries   uint64
	writeBytes, writeEntries uint64
}

// maxClassicOperations is a ledger's capacity for classic transactions.
const maxClassicOperations = 1000

// capacity is the capacity of one ledger; a limit other than 0 limits the number of
// contract transactions.
func (l *limits) capacity(maxTxs uint64) resources {
	total := resources{
		operations:   maxClassicOperations,
		txs:          l.ledgerTxs,
		instructions: l.ledgerInstructions * max(1, l.clusters),
		bytes:        l.ledgerBytes,
		diskBytes:    l.ledgerDiskReadBytes,
		diskEntries:  l.ledgerDiskReadEntries,
		writeBytes:   l.ledgerWriteBytes,
		writeEntries: l.ledgerWriteEntries,
	}
	if maxTxs > 0 {
		total.txs = maxTxs
	}
	return total
}

// resources returns the resources that a transaction declares.
func (t *transaction) resources() resources {
	if !t.isSoroban() {
		return resources{operations: uint64(t.operationCount())}
	}
	r := t.soroban().Resources
	return resources{
		txs:          1,
		instructions: uint64(r.Instructions),
		bytes:        uint64(t.pricedSize()),
		diskBytes:    uint64(r.DiskReadBytes),
		diskEntries:  uint64(diskReads(t)),
		writeBytes:   uint64(r.WriteBytes),
		writeEntries: uint64(len(r.Footprint.ReadWrite)),
	}
}

func (r resources) plus(o resources) resources {
	return resources{
		r.operations + o.operations,
		r.txs + o.txs, r.instructions + o.instructions, r.bytes + o.bytes,
		r.diskBytes + o.diskBytes, r.diskEntries + o.diskEntries,
		r.writeBytes + o.writeBytes, r.writeEntries + o.writeEntries,
	}
}

// minus subtracts resources that were added before.
func (r resources) minus(o resources) resources {
	return resources{
		r.operations - o.operations,
		r.txs - o.txs, r.instructions - o.instructions, r.bytes - o.bytes,
		r.diskBytes - o.diskBytes, r.diskEntries - o.diskEntries,
		r.writeBytes - o.writeBytes, r.writeEntries - o.writeEntries,
	}
}

func (r resources) fitsInto(capacity resources) bool {
	return r.operations <= capacity.operations &&
		r.txs <= capacity.txs && r.instructions <= capacity.instructions && r.bytes <= capacity.bytes &&
		r.diskBytes <= capacity.diskBytes && r.diskEntries <= capacity.diskEntries &&
		r.writeBytes <= capacity.writeBytes && r.writeEntries <= capacity.writeEntries
}
