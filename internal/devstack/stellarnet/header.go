package stellarnet

import (
	"crypto/sha256"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// buildLedger adds the transaction set and the header to a finished ledger.
func (n *Network) buildLedger(last *closedLedger, env applyContext, d *stateDelta, done []*appliedTx) *closedLedger {
	txSet := transactionSet(last.header.Hash, done, env.prices)
	results := xdr.TransactionResultSet{Results: make([]xdr.TransactionResultPair, len(done))}
	header := last.header.Header
	for i, a := range done {
		results.Results[i] = xdr.TransactionResultPair{TransactionHash: a.tx.hash, Result: a.ledgerResult()}
		header.FeePool += a.result.FeeCharged
	}
	header.LedgerSeq = xdr.Uint32(env.seq)
	header.PreviousLedgerHash = last.header.Hash
	header.ScpValue = xdr.StellarValue{
		TxSetHash: sha256.Sum256(marshal(txSet)),
		CloseTime: xdr.TimePoint(env.closeTime),
	}
	header.TxSetResultHash = sha256.Sum256(marshal(results))
	header.BucketListHash = stateHash(header.BucketListHash, d)
	return newClosedLedger(header, done, env.prices)
}

func newClosedLedger(header xdr.LedgerHeader, done []*appliedTx, prices basePrices) *closedLedger {
	return &closedLedger{
		header: xdr.LedgerHeaderHistoryEntry{Hash: sha256.Sum256(marshal(header)), Header: header},
		txs:    done,
		prices: prices,
	}
}

// stateHash replaces the hash of the bucket list: it differs whenever the state does,
// but is not its Merkle root.
func stateHash(previous xdr.Hash, d *stateDelta) xdr.Hash {
	if len(d.changeOrder) == 0 {
		return previous
	}
	sum := sha256.New()
	sum.Write(previous[:])
	for _, key := range d.changeOrder {
		sum.Write([]byte(key))
		sum.Write(d.changed[key].xdr)
	}
	return xdr.Hash(sum.Sum(nil))
}

// transactionSet has the protocol's two phases: classic transactions, and contract
// transactions in stages, of which this network needs only one.
func transactionSet(previous xdr.Hash, done []*appliedTx, prices basePrices) xdr.GeneralizedTransactionSet {
	var classic, soroban []xdr.TransactionEnvelope
	for _, a := range done {
		if a.tx.isSoroban() {
			soroban = append(soroban, a.tx.envelope)
		} else {
			classic = append(classic, a.tx.envelope)
		}
	}
	classicFee, sorobanFee := xdr.Int64(prices.classic), xdr.Int64(prices.soroban)
	components := []xdr.TxSetComponent{}
	if len(classic) > 0 {
		components = append(components, xdr.TxSetComponent{
			Type:                  xdr.TxSetComponentTypeTxsetCompTxsMaybeDiscountedFee,
			TxsMaybeDiscountedFee: &xdr.TxSetComponentTxsMaybeDiscountedFee{BaseFee: &classicFee, Txs: classic},
		})
	}
	parallel := &xdr.ParallelTxsComponent{BaseFee: &sorobanFee, ExecutionStages: []xdr.ParallelTxExecutionStage{}}
	if len(soroban) > 0 {
		parallel.ExecutionStages = append(parallel.ExecutionStages, xdr.ParallelTxExecutionStage{soroban})
	}
	return xdr.GeneralizedTransactionSet{V: 1, V1TxSet: &xdr.TransactionSetV1{
		PreviousLedgerHash: previous,
		Phases: []xdr.TransactionPhase{
			{V: 0, V0Components: &components},
			{V: 1, ParallelTxsComponent: parallel},
		},
	}}
}

// closeMeta is the ledger as stellar-core streams it to its clients.
func (n *Network) closeMeta(c *closedLedger) xdr.LedgerCloseMeta {
	processing := make([]xdr.TransactionResultMetaV1, len(c.txs))
	for i, a := range c.txs {
		processing[i] = xdr.TransactionResultMetaV1{
			Result:                   xdr.TransactionResultPair{TransactionHash: a.tx.hash, Result: a.ledgerResult()},
			FeeProcessing:            nonNilChanges(a.feeChanges),
			TxApplyProcessing:        a.meta,
			PostTxApplyFeeProcessing: nonNilChanges(a.refundChanges),
		}
	}
	return xdr.LedgerCloseMeta{V: 2, V2: &xdr.LedgerCloseMetaV2{
		Ext: xdr.LedgerCloseMetaExt{V: 1, V1: &xdr.LedgerCloseMetaExtV1{
			SorobanFeeWrite1Kb: xdr.Int64(n.limits.writeFee1KB),
		}},
		LedgerHeader: c.header,
		TxSet:        transactionSet(c.header.Header.PreviousLedgerHash, c.txs, c.prices),
		TxProcessing: processing,
	}}
}
