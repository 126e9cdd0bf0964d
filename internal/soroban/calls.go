package soroban

import (
	"context"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// readTries is how often a call is made that changes nothing. Longer outages are
// for the pipeline, which retries the whole step.
const readTries = 4

// read makes a call that changes nothing, and makes it again after a fault.
func read[A any](ctx context.Context, c *client, method string, params any) (A, error) {
	for try := 1; ; try++ {
		answer, err := call[A](ctx, c, method, params)
		if err == nil || try == readTries || errs.KindOf(err) != errs.KindTransient || ctx.Err() != nil {
			return answer, err
		}
		if err := c.rest.backoff(ctx, try, err); err != nil {
			return answer, err
		}
	}
}

func (c *client) network(ctx context.Context) (protocol.GetNetworkResponse, error) {
	return read[protocol.GetNetworkResponse](ctx, c, protocol.GetNetworkMethodName, nil)
}

func (c *client) feeStats(ctx context.Context) (protocol.GetFeeStatsResponse, error) {
	return read[protocol.GetFeeStatsResponse](ctx, c, protocol.GetFeeStatsMethodName, nil)
}

func (c *client) simulate(ctx context.Context, env xdr.TransactionEnvelope) (protocol.SimulateTransactionResponse, error) {
	encoded, err := xdr.MarshalBase64(env)
	if err != nil {
		return protocol.SimulateTransactionResponse{}, unusable(err, "simulate transaction")
	}
	return read[protocol.SimulateTransactionResponse](ctx, c, protocol.SimulateTransactionMethodName,
		protocol.SimulateTransactionRequest{Transaction: encoded})
}

func (c *client) entries(ctx context.Context, keys []string) (protocol.GetLedgerEntriesResponse, error) {
	return read[protocol.GetLedgerEntriesResponse](ctx, c, protocol.GetLedgerEntriesMethodName, protocol.GetLedgerEntriesRequest{Keys: keys})
}

// poll is entries for those who ask again and again.
func (c *client) poll(ctx context.Context, keys []string) (protocol.GetLedgerEntriesResponse, error) {
	got, err := call[protocol.GetLedgerEntriesResponse](ctx, c, protocol.GetLedgerEntriesMethodName, protocol.GetLedgerEntriesRequest{Keys: keys})
	if err == nil {
		c.rest.saw(got.LatestLedger)
	}
	return got, err
}

// moment is a ledger and when it closed.
type moment struct {
	ledger    uint32
	closeTime int64 // Unix seconds.
}

// latest tells the latest ledger and when it closed. getLatestLedger would name
// the time too, yet older servers do not, and newer ones add all of the ledger's
// meta, megabytes on a public network. So it asks for a transaction that does
// not exist: the answer is small and has always named ledger and time.
func (c *client) latest(ctx context.Context, networkID string) (moment, error) {
	got, err := read[protocol.GetTransactionResponse](ctx, c, protocol.GetTransactionMethodName,
		protocol.GetTransactionRequest{Hash: networkID})
	return moment{got.LatestLedger, got.LatestLedgerCloseTime}, err
}

// transaction and send are made once: who asks for them has a loop of its own.
func (c *client) transaction(ctx context.Context, hash string) (protocol.GetTransactionResponse, error) {
	got, err := call[protocol.GetTransactionResponse](ctx, c, protocol.GetTransactionMethodName,
		protocol.GetTransactionRequest{Hash: hash})
	if err == nil {
		c.rest.saw(got.LatestLedger)
		c.met(moment{got.LatestLedger, got.LatestLedgerCloseTime})
	}
	return got, err
}

func (c *client) send(ctx context.Context, envelope string) (protocol.SendTransactionResponse, error) {
	got, err := call[protocol.SendTransactionResponse](ctx, c, protocol.SendTransactionMethodName,
		protocol.SendTransactionRequest{Transaction: envelope})
	if err == nil {
		c.rest.saw(got.LatestLedger)
		c.met(moment{got.LatestLedger, got.LatestLedgerCloseTime})
	}
	return got, err
}

// met takes in the latest ledger of an answer about something else, unless that
// comes from a server that is behind.
func (c *client) met(m moment) {
	if known, ok := c.now.known(); m.closeTime > 0 && (!ok || m.ledger >= known.ledger) {
		c.now.put(m)
	}
}
