package rpc

import (
	"context"
	"strings"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// KnownProtocol is the newest protocol whose data this program can decode: that of the SDK's XDR.
const KnownProtocol = 28

// Protocol is the network's protocol as last read; 0: it was not read yet.
func (c *Client) Protocol() int { return int(c.protocol.Load()) }

// CheckNetwork returns an error for a server of another network: signatures would be
// invalid there, and every read would return other contracts. A check is valid for an hour:
// networks are upgraded.
func (c *Client) CheckNetwork(ctx context.Context) error {
	_, err := c.network.get(ctx)
	return err
}

func (c *Client) fetchNetwork(ctx context.Context) (struct{}, error) {
	got, err := read[protocol.GetNetworkResponse](ctx, c, protocol.GetNetworkMethodName, nil)
	if err != nil {
		return struct{}{}, err
	}
	if got.Passphrase != c.passphrase {
		return struct{}{}, errs.Errorf(errs.KindPermanent, "check network",
			"the Stellar RPC server serves the network %q, but %q is configured; check SOROBAN_NETWORK, SOROBAN_NETWORK_PASSPHRASE and SOROBAN_RPC_URL",
			got.Passphrase, c.passphrase)
	}
	c.protocol.Store(int64(got.ProtocolVersion))
	return struct{}{}, nil
}

// FeeStats returns the fees of recent transactions; they are cached.
func (c *Client) FeeStats(ctx context.Context) (protocol.GetFeeStatsResponse, error) {
	return c.fees.get(ctx)
}

// ForgetFeeStats makes the next FeeStats read them again.
func (c *Client) ForgetFeeStats() { c.fees.drop() }

func (c *Client) fetchFeeStats(ctx context.Context) (protocol.GetFeeStatsResponse, error) {
	return read[protocol.GetFeeStatsResponse](ctx, c, protocol.GetFeeStatsMethodName, nil)
}

// Simulate simulates a transaction.
func (c *Client) Simulate(ctx context.Context, env xdr.TransactionEnvelope) (protocol.SimulateTransactionResponse, error) {
	encoded, err := xdr.MarshalBase64(env)
	if err != nil {
		return protocol.SimulateTransactionResponse{}, MalformedXDR(err, "simulate transaction")
	}
	got, err := read[protocol.SimulateTransactionResponse](ctx, c, protocol.SimulateTransactionMethodName,
		protocol.SimulateTransactionRequest{Transaction: encoded})
	got.Error = c.secrets.Replace(got.Error) // It goes to the log.
	return got, err
}

// Entries reads ledger entries. The response has only those that exist.
func (c *Client) Entries(ctx context.Context, keys []string) (protocol.GetLedgerEntriesResponse, error) {
	return read[protocol.GetLedgerEntriesResponse](ctx, c, protocol.GetLedgerEntriesMethodName, protocol.GetLedgerEntriesRequest{Keys: keys})
}

// PollEntries is Entries for callers that poll: it is not repeated after a fault.
func (c *Client) PollEntries(ctx context.Context, keys []string) (protocol.GetLedgerEntriesResponse, error) {
	got, err := call[protocol.GetLedgerEntriesResponse](ctx, c, protocol.GetLedgerEntriesMethodName, protocol.GetLedgerEntriesRequest{Keys: keys})
	if err == nil {
		c.pacer.observe(got.LatestLedger)
	}
	return got, err
}

// Ledger is a ledger and its close time.
type Ledger struct {
	Sequence  uint32
	CloseTime int64 // Unix seconds.
}

// unknownTransaction is the hash of no transaction.
var unknownTransaction = strings.Repeat("0", 64)

// LatestLedger returns the latest ledger, at most cacheTTL old.
func (c *Client) LatestLedger(ctx context.Context) (Ledger, error) { return c.latestLedger.get(ctx) }

// LastLedger returns the latest ledger that any response had, and asks nobody; the zero value if
// there was none.
func (c *Client) LastLedger() Ledger { return c.latestLedger.last() }

// fetchLatestLedger returns the latest ledger and its close time. It does not use
// getLatestLedger: older servers return no time, and newer ones add the ledger's meta,
// megabytes on a public network. It queries a transaction that does not exist instead:
// that response is small and always has ledger and time.
func (c *Client) fetchLatestLedger(ctx context.Context) (Ledger, error) {
	got, err := c.queryUnknown(ctx)
	return Ledger{got.LatestLedger, got.LatestLedgerCloseTime}, err
}

// queryUnknown queries a transaction that does not exist: the response has the server's range
// of ledgers.
func (c *Client) queryUnknown(ctx context.Context) (protocol.GetTransactionResponse, error) {
	return read[protocol.GetTransactionResponse](ctx, c, protocol.GetTransactionMethodName,
		protocol.GetTransactionRequest{Hash: unknownTransaction})
}

// Transaction queries a transaction. It is not repeated after a fault.
func (c *Client) Transaction(ctx context.Context, hash string) (protocol.GetTransactionResponse, error) {
	got, err := call[protocol.GetTransactionResponse](ctx, c, protocol.GetTransactionMethodName,
		protocol.GetTransactionRequest{Hash: hash})
	if err == nil {
		c.noteLedger(Ledger{got.LatestLedger, got.LatestLedgerCloseTime})
	}
	return got, err
}

// LedgerRange returns the oldest and the latest ledger whose transactions and events the
// server has.
func (c *Client) LedgerRange(ctx context.Context) (oldest, latest uint32, err error) {
	got, err := c.queryUnknown(ctx)
	return got.OldestLedger, got.LatestLedger, err
}

// Events reads one page of contract events.
func (c *Client) Events(ctx context.Context, q protocol.GetEventsRequest) (protocol.GetEventsResponse, error) {
	return read[protocol.GetEventsResponse](ctx, c, protocol.GetEventsMethodName, q)
}

// Send sends a signed transaction. It is not repeated after a fault.
func (c *Client) Send(ctx context.Context, envelope string) (protocol.SendTransactionResponse, error) {
	got, err := call[protocol.SendTransactionResponse](ctx, c, protocol.SendTransactionMethodName,
		protocol.SendTransactionRequest{Transaction: envelope})
	if err == nil {
		c.noteLedger(Ledger{got.LatestLedger, got.LatestLedgerCloseTime})
	}
	return got, err
}

// noteLedger records the latest ledger of another response, unless the server is behind.
func (c *Client) noteLedger(l Ledger) {
	c.pacer.observe(l.Sequence)
	if known, ok := c.latestLedger.known(); l.CloseTime > 0 && (!ok || l.Sequence >= known.Sequence) {
		c.latestLedger.put(l)
	}
}

// maxReadTries is how often a read-only call is made. After longer outages the pipeline
// retries the whole step.
const maxReadTries = 4

// read makes a read-only call and retries it after a fault.
func read[A any](ctx context.Context, c *Client, method string, params any) (A, error) {
	pause := c.NewBackoff()
	for try := 1; ; try++ {
		answer, err := call[A](ctx, c, method, params)
		if err == nil || try == maxReadTries || errs.KindOf(err) != errs.KindTransient || ctx.Err() != nil {
			return answer, err
		}
		if err := pause.Wait(ctx, err); err != nil {
			return answer, err
		}
	}
}
