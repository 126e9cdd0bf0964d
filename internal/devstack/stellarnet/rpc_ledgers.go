package stellarnet

import (
	"context"
	"fmt"
	"strconv"

	"github.com/creachadair/jrpc2"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
)

// The default page limits of stellar-rpc.
const (
	maxLedgers, defaultLedgers           = 200, 50
	maxTransactions, defaultTransactions = 200, 50
	maxEvents, defaultEvents             = 10000, 100
)

func (n *Network) getLedgers(
	ctx context.Context, q protocol.GetLedgersRequest,
) (protocol.GetLedgersResponse, error) {
	var zero protocol.GetLedgersResponse
	oldest, latest := n.window()
	window := protocol.LedgerSeqRange{FirstLedger: oldest.seq(), LastLedger: latest.seq()}
	if err := q.Validate(maxLedgers, window); err != nil {
		return zero, invalidRequest(err)
	}
	f, err := n.newXDRFormat(ctx, q.Format)
	if err != nil {
		return zero, err
	}
	first, limit, err := ledgersPage(q, window)
	if err != nil {
		return zero, invalidParams("%s", err)
	}
	out := protocol.GetLedgersResponse{
		Ledgers:               []protocol.LedgerInfo{},
		LatestLedger:          latest.seq(),
		LatestLedgerCloseTime: latest.closeTime(),
		OldestLedger:          oldest.seq(),
		OldestLedgerCloseTime: oldest.closeTime(),
		Cursor:                strconv.FormatUint(uint64(first)-1, 10),
	}
	for _, c := range n.ledger.closedBetween(first, min(first+limit-1, latest.seq())) {
		out.Ledgers = append(out.Ledgers, n.ledgerInfo(f, c))
		out.Cursor = strconv.FormatUint(uint64(c.seq()), 10)
	}
	return out, f.err
}

// ledgersPage parses where a page starts and its maximum length. A cursor is the number
// of the previous ledger; a cursor at the latest ledger is refused, because no ledger
// follows it yet.
func ledgersPage(q protocol.GetLedgersRequest, window protocol.LedgerSeqRange) (first, limit uint32, err error) {
	first, limit = q.StartLedger, defaultLedgers
	if q.Pagination == nil {
		return first, limit, nil
	}
	if q.Pagination.Limit > 0 {
		limit = uint32(q.Pagination.Limit)
	}
	if cursor := q.Pagination.Cursor; cursor != "" {
		before, err := strconv.ParseUint(cursor, 10, 32)
		if err != nil {
			return 0, 0, err
		}
		first = uint32(before) + 1
		if !protocol.IsLedgerWithinRange(first, window) {
			return 0, 0, fmt.Errorf(
				"cursor ('%s') must be between the oldest ledger: %d and the latest ledger: %d for this rpc instance",
				cursor, window.FirstLedger, window.LastLedger)
		}
	}
	return first, limit, nil
}

func (n *Network) ledgerInfo(f *xdrFormat, c *closedLedger) protocol.LedgerInfo {
	out := protocol.LedgerInfo{
		Hash:            c.header.Hash.HexString(),
		Sequence:        c.seq(),
		LedgerCloseTime: c.closeTime(),
	}
	out.LedgerHeader, out.LedgerHeaderJSON = f.encodeValue(c.header)
	out.LedgerMetadata, out.LedgerMetadataJSON = f.encodeValue(n.closeMeta(c))
	return out
}

func invalidRequest(err error) error {
	return &jrpc2.Error{Code: jrpc2.InvalidRequest, Message: err.Error()}
}
