package rpc

import (
	"errors"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
)

// checkAnswer rejects a response that lacks what every response of its method has. The
// decoder takes {} for all of them, and a gateway may return it with status 200.
func checkAnswer(answer any) error {
	complete := true
	switch a := answer.(type) {
	case *protocol.GetNetworkResponse:
		complete = a.Passphrase != ""
	case *protocol.GetTransactionResponse:
		complete = a.Status != "" && a.LatestLedger > 0 && isTime(a.LatestLedgerCloseTime) && a.OldestLedger <= a.LatestLedger && a.Ledger <= a.LatestLedger
	case *protocol.SendTransactionResponse:
		complete = a.Status != "" && a.LatestLedger > 0 && (a.LatestLedgerCloseTime == 0 || isTime(a.LatestLedgerCloseTime))
	case *protocol.GetLedgerEntriesResponse:
		complete = a.LatestLedger > 0
	case *protocol.SimulateTransactionResponse:
		complete = a.LatestLedger > 0 && (a.TransactionDataXDR != "" || a.Error != "")
	case *protocol.GetFeeStatsResponse:
		complete = a.LatestLedger > 0
	case *protocol.GetEventsResponse:
		complete = a.LatestLedger > 0
	}
	if !complete {
		return &malformedError{errors.New("a response without what its method returns, or with ledgers that contradict each other")}
	}
	return nil
}

// isTime reports whether a Unix time in seconds is after 1970 and before the year 10000: the
// database stores no other one.
func isTime(unix int64) bool { return unix > 0 && unix < 253402300800 }
