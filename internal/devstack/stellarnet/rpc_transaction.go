package stellarnet

import (
	"context"
	"encoding"
	"encoding/base64"
	"encoding/hex"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"
)

func (n *Network) getTransaction(
	_ context.Context, q protocol.GetTransactionRequest,
) (protocol.GetTransactionResponse, error) {
	var none protocol.GetTransactionResponse
	if err := checkFormat(q.Format); err != nil {
		return none, err
	}
	var hash xdr.Hash
	if hex.DecodedLen(len(q.Hash)) != len(hash) {
		return none, invalidParams("unexpected hash length (%d)", len(q.Hash))
	}
	if _, err := hex.Decode(hash[:], []byte(q.Hash)); err != nil {
		return none, invalidParams("incorrect hash: %s", err)
	}
	// The transaction first: the window may move on meanwhile, and must not then
	// claim to have looked in a ledger that it had not.
	a, found := n.ledger.transaction(hash)
	oldest, latest := n.window()
	out := protocol.GetTransactionResponse{
		LatestLedger:          latest.seq(),
		LatestLedgerCloseTime: latest.closeTime(),
		OldestLedger:          oldest.seq(),
		OldestLedgerCloseTime: oldest.closeTime(),
	}
	if !found || a.seq > latest.seq() {
		out.Status = protocol.TransactionStatusNotFound
		out.TransactionHash = q.Hash
		return out, nil
	}
	out.TransactionDetails = a.details()
	out.LedgerCloseTime = a.closeTime
	return out, nil
}

// details is the transaction as the RPC shows it, in every method that does.
func (a *applied) details() protocol.TransactionDetails {
	out := protocol.TransactionDetails{
		Status:              protocol.TransactionStatusFailed,
		TransactionHash:     a.tx.hash.HexString(),
		ApplicationOrder:    a.order,
		EnvelopeXDR:         encode(a.tx.envelope),
		ResultXDR:           encode(a.result),
		ResultMetaXDR:       encode(a.meta),
		DiagnosticEventsXDR: encodeAll(a.diagnostics),
		Ledger:              a.seq,
	}
	if a.successful() {
		out.Status = protocol.TransactionStatusSuccess
	}
	out.Events.TransactionEventsXDR = encodeAll(a.events)
	for _, op := range a.operations {
		out.Events.ContractEventsXDR = append(out.Events.ContractEventsXDR, encodeAll(op.Events))
	}
	return out
}

func encode(v encoding.BinaryMarshaler) string {
	return base64.StdEncoding.EncodeToString(marshal(v))
}

func encodeAll[T encoding.BinaryMarshaler](items []T) []string {
	out := make([]string, len(items))
	for i := range items {
		out[i] = encode(items[i])
	}
	return out
}
