package stellarnet

import (
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/toid"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// events lists a ledger's events in the order of their ids, which is the order in which
// they happened: charged fees, then the operations, then refunds. This network emits no
// events right after a single transaction.
func (c *closedLedger) events() []ledgerEvent {
	var before, during, after []ledgerEvent
	for _, a := range c.txs {
		tx := uint32(a.order)
		for _, e := range a.events {
			switch e.Stage {
			case xdr.TransactionEventStageTransactionEventStageBeforeAllTxs:
				before = append(before, c.event(a, e.Event, 0, 0, len(before)))
			case xdr.TransactionEventStageTransactionEventStageAfterAllTxs:
				after = append(after, c.event(a, e.Event, toid.TransactionMask, 0, len(after)))
			}
		}
		for op := range a.operations {
			for i, e := range a.operations[op].Events {
				during = append(during, c.event(a, e, tx, uint32(op), i))
			}
		}
	}
	return append(append(before, during...), after...)
}

func (c *closedLedger) event(a *appliedTx, e xdr.ContractEvent, tx, op uint32, index int) ledgerEvent {
	return ledgerEvent{
		cursor: protocol.Cursor{Ledger: c.seq(), Tx: tx, Op: op, Event: uint32(index)},
		event:  xdr.DiagnosticEvent{InSuccessfulContractCall: a.successful(), Event: e},
		tx:     a,
	}
}
