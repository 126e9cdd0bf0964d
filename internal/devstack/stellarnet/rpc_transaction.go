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
	ctx context.Context, q protocol.GetTransactionRequest,
) (protocol.GetTransactionResponse, error) {
	var zero protocol.GetTransactionResponse
	f, err := n.newXDRFormat(ctx, q.Format)
	if err != nil {
		return zero, err
	}
	var hash xdr.Hash
	if hex.DecodedLen(len(q.Hash)) != len(hash) {
		return zero, invalidParams("unexpected hash length (%d)", len(q.Hash))
	}
	if _, err := hex.Decode(hash[:], []byte(q.Hash)); err != nil {
		return zero, invalidParams("incorrect hash: %s", err)
	}
	// Read the transaction first: the window may move meanwhile, and the response must
	// not name a window that was not searched.
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
	out.TransactionDetails = a.details(f)
	out.TransactionHash = q.Hash // Either hash of a fee bump.
	out.LedgerCloseTime = a.closeTime
	return out, f.err
}

// details is the transaction in the format of all RPC methods.
func (a *appliedTx) details(f *xdrFormat) protocol.TransactionDetails {
	out := protocol.TransactionDetails{
		Status:           protocol.TransactionStatusFailed,
		TransactionHash:  a.tx.hash.HexString(),
		ApplicationOrder: a.order,
		FeeBump:          a.tx.inner != nil,
		Ledger:           a.seq,
	}
	if a.successful() {
		out.Status = protocol.TransactionStatusSuccess
	}
	out.EnvelopeXDR, out.EnvelopeJSON = f.encodeValue(a.tx.envelope)
	out.ResultXDR, out.ResultJSON = f.encodeValue(a.ledgerResult())
	out.ResultMetaXDR, out.ResultMetaJSON = f.encodeValue(a.meta)
	out.DiagnosticEventsXDR, out.DiagnosticEventsJSON = encodeValues(f, a.diagnostics)
	out.Events.TransactionEventsXDR, out.Events.TransactionEventsJSON = encodeValues(f, a.events)
	for _, op := range a.operations {
		encoded, shown := encodeValues(f, op.Events)
		if f.host == nil {
			out.Events.ContractEventsXDR = append(out.Events.ContractEventsXDR, encoded)
		} else {
			out.Events.ContractEventsJSON = append(out.Events.ContractEventsJSON, shown)
		}
	}
	return out
}

func encode(v encoding.BinaryMarshaler) string {
	return base64.StdEncoding.EncodeToString(marshal(v))
}
