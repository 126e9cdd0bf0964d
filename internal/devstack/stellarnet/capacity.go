package stellarnet

// capacity is the room that is left for contract transactions in a ledger.
type capacity struct {
	txs, instructions, bytes uint64
	diskBytes, diskEntries   uint64
	writeBytes, writeEntries uint64
}

func (l *limits) capacity() capacity {
	return capacity{
		txs:          l.ledgerTxs,
		instructions: l.ledgerInstructions * max(1, l.clusters),
		bytes:        l.ledgerBytes,
		diskBytes:    l.ledgerDiskReadBytes,
		diskEntries:  l.ledgerDiskReadEntries,
		writeBytes:   l.ledgerWriteBytes,
		writeEntries: l.ledgerWriteEntries,
	}
}

// take reserves room for a transaction, or reports that it has to wait.
func (c *capacity) take(t *transaction) bool {
	if !t.isSoroban() {
		return true
	}
	r := t.soroban().Resources
	need := capacity{
		txs:          1,
		instructions: uint64(r.Instructions),
		bytes:        uint64(t.size),
		diskBytes:    uint64(r.DiskReadBytes),
		diskEntries:  uint64(diskReads(t)),
		writeBytes:   uint64(r.WriteBytes),
		writeEntries: uint64(len(r.Footprint.ReadWrite)),
	}
	if need.txs > c.txs || need.instructions > c.instructions || need.bytes > c.bytes ||
		need.diskBytes > c.diskBytes || need.diskEntries > c.diskEntries ||
		need.writeBytes > c.writeBytes || need.writeEntries > c.writeEntries {
		return false
	}
	c.txs -= need.txs
	c.instructions -= need.instructions
	c.bytes -= need.bytes
	c.diskBytes -= need.diskBytes
	c.diskEntries -= need.diskEntries
	c.writeBytes -= need.writeBytes
	c.writeEntries -= need.writeEntries
	return true
}
