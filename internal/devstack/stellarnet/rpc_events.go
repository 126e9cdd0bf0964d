package stellarnet

import (
	"context"
	"fmt"
	"time"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// eventScanLimit is how many ledgers one getEvents call scans.
const eventScanLimit = 10000

func (n *Network) getEvents(ctx context.Context, q protocol.GetEventsRequest) (protocol.GetEventsResponse, error) {
	var zero protocol.GetEventsResponse
	if err := q.Valid(maxEvents); err != nil {
		return zero, invalidParams("%s", err)
	}
	f, err := n.newXDRFormat(ctx, q.Format)
	if err != nil {
		return zero, err
	}
	oldest, latest := n.window()
	start, end, limit := eventsPage(q, latest.seq())
	if start.Ledger < oldest.seq() || start.Ledger > latest.seq() {
		return zero, invalidRequest(fmt.Errorf(
			"startLedger must be within the ledger range: %d - %d", oldest.seq(), latest.seq()))
	}
	out := protocol.GetEventsResponse{
		Events:                []protocol.EventInfo{},
		LatestLedger:          latest.seq(),
		OldestLedger:          oldest.seq(),
		LatestLedgerCloseTime: latest.closeTime(),
		OldestLedgerCloseTime: oldest.closeTime(),
	}
	for _, c := range n.ledger.closedBetween(start.Ledger, end-1) {
		for _, e := range c.events() {
			if uint(len(out.Events)) < limit && e.cursor.Cmp(start) >= 0 && q.Matches(e.event) {
				out.Events = append(out.Events, e.info(f))
			}
		}
	}
	out.Cursor = eventsCursor(out.Events, end, limit)
	return out, f.err
}

// eventsPage parses where a page starts, the ledger before which it ends, and its
// maximum length.
func eventsPage(q protocol.GetEventsRequest, latest uint32) (start protocol.Cursor, end uint32, limit uint) {
	start, limit = protocol.Cursor{Ledger: q.StartLedger}, defaultEvents
	if q.Pagination != nil {
		if q.Pagination.Cursor != nil {
			start = *q.Pagination.Cursor
			start.Event++
		}
		if q.Pagination.Limit > 0 {
			limit = q.Pagination.Limit
		}
	}
	end = min(latest+1, start.Ledger+eventScanLimit)
	if q.EndLedger != 0 {
		end = min(q.EndLedger, end)
	}
	return start, end, limit
}

// eventsCursor is the last event of a full page, otherwise the end of the scanned
// ledgers.
func eventsCursor(found []protocol.EventInfo, end uint32, limit uint) string {
	if uint(len(found)) == limit {
		return found[len(found)-1].ID
	}
	cursor := protocol.MaxCursor
	cursor.Ledger = end - 1
	return cursor.String()
}

// ledgerEvent is one event and its position in its ledger.
type ledgerEvent struct {
	cursor protocol.Cursor
	event  xdr.DiagnosticEvent
	tx     *appliedTx
}

// info is the event in the RPC's format.
func (e ledgerEvent) info(f *xdrFormat) protocol.EventInfo {
	body := e.event.Event.Body.MustV0()
	out := protocol.EventInfo{
		EventType:                protocol.GetEventTypeFromEventTypeXDR()[e.event.Event.Type],
		Ledger:                   int32(e.cursor.Ledger),
		LedgerClosedAt:           time.Unix(e.tx.closeTime, 0).UTC().Format(time.RFC3339),
		ID:                       e.cursor.String(),
		OpIndex:                  e.cursor.Op,
		TxIndex:                  e.cursor.Tx,
		TransactionHash:          e.tx.tx.hash.HexString(),
		InSuccessfulContractCall: e.event.InSuccessfulContractCall, //nolint:staticcheck // deprecated, and still sent
	}
	if id := e.event.Event.ContractId; id != nil {
		out.ContractID = strkey.MustEncode(strkey.VersionByteContract, id[:])
	}
	out.TopicXDR, out.TopicJSON = encodeValues(f, body.Topics)
	out.ValueXDR, out.ValueJSON = f.encodeValue(body.Data)
	return out
}
