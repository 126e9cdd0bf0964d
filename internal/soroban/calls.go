package soroban

import (
	"context"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

func (c *rpcClient) network(ctx context.Context) (protocol.GetNetworkResponse, error) {
	return read[protocol.GetNetworkResponse](ctx, c, protocol.GetNetworkMethodName, nil)
}

func (c *rpcClient) feeStats(ctx context.Context) (protocol.GetFeeStatsResponse, error) {
	return read[protocol.GetFeeStatsResponse](ctx, c, protocol.GetFeeStatsMethodName, nil)
}

func (c *rpcClient) simulate(ctx context.Context, env xdr.TransactionEnvelope) (protocol.SimulateTransactionResponse, error) {
	encoded, err := xdr.MarshalBase64(env)
	if err != nil {
		return protocol.SimulateTransactionResponse{}, malformedXDR(err, "simulate transaction")
	}
	return read[protocol.SimulateTransactionResponse](ctx, c, protocol.SimulateTransactionMethodName,
		protocol.SimulateTransactionRequest{Transaction: encoded})
}

func (c *rpcClient) entries(ctx context.Context, keys []string) (protocol.GetLedgerEntriesResponse, error) {
	return read[protocol.GetLedgerEntriesResponse](ctx, c, protocol.GetLedgerEntriesMethodName, protocol.GetLedgerEntriesRequest{Keys: keys})
}

// pollEntries is entries for callers that poll.
func (c *rpcClient) pollEntries(ctx context.Context, keys []string) (protocol.GetLedgerEntriesResponse, error) {
	got, err := call[protocol.GetLedgerEntriesResponse](ctx, c, protocol.GetLedgerEntriesMethodName, protocol.GetLedgerEntriesRequest{Keys: keys})
	if err == nil {
		c.pacer.observe(got.LatestLedger)
	}
	return got, err
}

// ledgerInfo is a ledger and its close time.
type ledgerInfo struct {
	ledger    uint32
	closeTime int64 // Unix seconds.
}

// fetchLatestLedger returns the latest ledger and its close time. It does not use
// getLatestLedger: older servers return no time, and newer ones add the ledger's meta,
// megabytes on a public network. It queries a transaction that does not exist instead:
// that response is small and always has ledger and time.
func (c *rpcClient) fetchLatestLedger(ctx context.Context, networkID string) (ledgerInfo, error) {
	got, err := read[protocol.GetTransactionResponse](ctx, c, protocol.GetTransactionMethodName,
		protocol.GetTransactionRequest{Hash: networkID})
	return ledgerInfo{got.LatestLedger, got.LatestLedgerCloseTime}, err
}

// transaction and send are called once: their callers have a retry loop.
func (c *rpcClient) transaction(ctx context.Context, hash string) (protocol.GetTransactionResponse, error) {
	got, err := call[protocol.GetTransactionResponse](ctx, c, protocol.GetTransactionMethodName,
		protocol.GetTransactionRequest{Hash: hash})
	if err == nil {
		c.pacer.observe(got.LatestLedger)
		c.noteLedger(ledgerInfo{got.LatestLedger, got.LatestLedgerCloseTime})
	}
	return got, err
}

func (c *rpcClient) send(ctx context.Context, envelope string) (protocol.SendTransactionResponse, error) {
	got, err := call[protocol.SendTransactionResponse](ctx, c, protocol.SendTransactionMethodName,
		protocol.SendTransactionRequest{Transaction: envelope})
	if err == nil {
		c.pacer.observe(got.LatestLedger)
		c.noteLedger(ledgerInfo{got.LatestLedger, got.LatestLedgerCloseTime})
	}
	return got, err
}

// noteLedger records the latest ledger of another response, unless the server is behind.
func (c *rpcClient) noteLedger(m ledgerInfo) {
	if known, ok := c.latestLedger.known(); m.closeTime > 0 && (!ok || m.ledger >= known.ledger) {
		c.latestLedger.put(m)
	}
}

// maxReadTries is how often a read-only call is made. After longer outages the pipeline
// retries the whole step.
const maxReadTries = 4

// read makes a read-only call and retries it after a fault.
func read[A any](ctx context.Context, c *rpcClient, method string, params any) (A, error) {
	pause := c.pacer.newBackoff()
	for try := 1; ; try++ {
		answer, err := call[A](ctx, c, method, params)
		if err == nil || try == maxReadTries || errs.KindOf(err) != errs.KindTransient || ctx.Err() != nil {
			return answer, err
		}
		if err := pause.wait(ctx, err); err != nil {
			return answer, err
		}
	}
}
