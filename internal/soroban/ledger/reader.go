package ledger

import (
	"context"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
)

// Reader reads ledger entries. It may be used concurrently.
type Reader struct {
	client *rpc.Client
	clock  clock.Clock
	reads  *entryBatcher
	polls  *entryBatcher // Reads of callers that wait for a transaction.
	codes  codeCache
}

// NewReader creates a Reader. It makes no call.
func NewReader(client *rpc.Client, clock clock.Clock) *Reader {
	return &Reader{
		client: client, clock: clock,
		reads: newEntryBatcher(client.Entries, nil),
		polls: newEntryBatcher(client.PollEntries, client.WaitPoll),
	}
}

// Entries returns at most MaxKeys entries in the order of their keys, and the ledger of
// the read; the zero result for a missing entry.
func (r *Reader) Entries(ctx context.Context, keys ...xdr.LedgerKey) ([]protocol.LedgerEntryResult, uint32, error) {
	return read(ctx, r.reads, keys)
}

// Account returns an account; nil when it does not exist.
func (r *Reader) Account(ctx context.Context, id xdr.AccountId) (*xdr.AccountEntry, error) {
	account, _, err := readAccount(ctx, r.reads, id)
	return account, err
}

// PollAccount waits for the next poll, which many callers share, and returns an account
// and the ledger of the read.
func (r *Reader) PollAccount(ctx context.Context, id xdr.AccountId) (*xdr.AccountEntry, uint32, error) {
	return readAccount(ctx, r.polls, id)
}

func readAccount(ctx context.Context, through *entryBatcher, id xdr.AccountId) (*xdr.AccountEntry, uint32, error) {
	found, ledger, err := read(ctx, through, []xdr.LedgerKey{AccountKey(id)})
	if err != nil {
		return nil, 0, err
	}
	account, err := AccountOf(found[0])
	return account, ledger, err
}

func read(ctx context.Context, through *entryBatcher, keys []xdr.LedgerKey) ([]protocol.LedgerEntryResult, uint32, error) {
	encoded := make([]string, len(keys))
	for i, key := range keys {
		var err error
		if encoded[i], err = xdr.MarshalBase64(key); err != nil {
			return nil, 0, rpc.MalformedXDR(err, "read ledger entries")
		}
	}
	found, err := through.Get(ctx, encoded...)
	if err != nil && ctx.Err() != nil {
		err = rpc.ContextError(ctx, "read ledger entries", err)
	}
	if err != nil {
		return nil, 0, err
	}
	out := make([]protocol.LedgerEntryResult, len(keys))
	for i, key := range encoded {
		out[i] = found.entries[key]
	}
	return out, found.ledger, nil
}

// AccountOf parses an account entry; nil when it does not exist.
func AccountOf(entry protocol.LedgerEntryResult) (*xdr.AccountEntry, error) {
	if entry.DataXDR == "" {
		return nil, nil
	}
	data, err := decode(entry)
	return data.Account, err
}

// InstanceOf parses the entry of a contract; nil when it has no contract instance.
func InstanceOf(entry protocol.LedgerEntryResult) (*xdr.ScContractInstance, error) {
	data, err := decode(entry)
	if err != nil || data.ContractData == nil {
		return nil, err
	}
	return data.ContractData.Val.Instance, nil
}

func decode(entry protocol.LedgerEntryResult) (data xdr.LedgerEntryData, err error) {
	if err = xdr.SafeUnmarshalBase64(entry.DataXDR, &data); err != nil {
		return xdr.LedgerEntryData{}, rpc.MalformedXDR(err, "read ledger entries")
	}
	return data, nil
}
