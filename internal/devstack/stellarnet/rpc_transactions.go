package stellarnet

import (
	"context"
	"strconv"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/toid"
)

func (n *Network) getTransactions(
	ctx context.Context, q protocol.GetTransactionsRequest,
) (protocol.GetTransactionsResponse, error) {
	var zero protocol.GetTransactionsResponse
	oldest, latest := n.window()
	window := protocol.LedgerSeqRange{FirstLedger: oldest.seq(), LastLedger: latest.seq()}
	if err := q.IsValid(maxTransactions, window); err != nil {
		return zero, invalidRequest(err)
	}
	f, err := n.newXDRFormat(ctx, q.Format)
	if err != nil {
		return zero, err
	}
	start, limit, err := transactionsPage(q)
	if err != nil {
		return zero, err
	}
	first := uint32(start.LedgerSequence)
	if first < oldest.seq() {
		return zero, invalidParams("database does not contain metadata for ledger: %d", first)
	}
	page := transactionPage{format: f, start: start, limit: limit, found: []protocol.TransactionInfo{}}
	for _, c := range n.ledger.closedBetween(first, latest.seq()) {
		if page.add(c) {
			break
		}
	}
	return protocol.GetTransactionsResponse{
		Transactions:          page.found,
		LatestLedger:          latest.seq(),
		LatestLedgerCloseTime: latest.closeTime(),
		OldestLedger:          oldest.seq(),
		OldestLedgerCloseTime: oldest.closeTime(),
		Cursor:                page.cursor.String(),
	}, f.err
}

// transactionsPage parses where a page starts: after the cursor, which is the TOID of a
// transaction, or with the first transaction of a ledger.
func transactionsPage(q protocol.GetTransactionsRequest) (start toid.ID, limit int, err error) {
	start = *toid.New(int32(q.StartLedger), 1, 1)
	limit = defaultTransactions
	if q.Pagination == nil {
		return start, limit, nil
	}
	if q.Pagination.Limit > 0 {
		limit = int(q.Pagination.Limit)
	}
	if q.Pagination.Cursor != "" {
		cursor, err := strconv.ParseInt(q.Pagination.Cursor, 10, 64)
		if err != nil {
			return start, 0, invalidParams("%s", err)
		}
		start = toid.Parse(cursor)
		if start.LedgerSequence < 0 {
			return start, 0, invalidParams("cursor ledger sequence cannot be negative")
		}
		start.TransactionOrder++
	}
	return start, limit, nil
}

// transactionPage collects transactions ledger by ledger.
type transactionPage struct {
	format *xdrFormat
	start  toid.ID
	limit  int
	found  []protocol.TransactionInfo
	cursor toid.ID
}

// add adds as many transactions of a ledger as fit, and reports whether the page is
// full. The cursor is the last added transaction of the last scanned ledger, or 0 when
// that had no more: as in stellar-rpc, a client that polls at the latest ledger gets
// that ledger's transactions again.
func (p *transactionPage) add(c *closedLedger) (full bool) {
	p.cursor = *toid.New(int32(c.seq()), 0, 1)
	for _, a := range c.txs {
		if p.start.LedgerSequence == int32(c.seq()) && a.order < p.start.TransactionOrder {
			continue
		}
		p.cursor.TransactionOrder = a.order
		p.found = append(p.found, protocol.TransactionInfo{
			TransactionDetails: a.details(p.format),
			LedgerCloseTime:    a.closeTime,
		})
		if len(p.found) >= p.limit {
			return true
		}
	}
	return false
}
