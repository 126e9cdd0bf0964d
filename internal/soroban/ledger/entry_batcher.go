package ledger

import (
	"context"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/batch"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
)

// MaxKeys is how many entries one read may have: the limit of getLedgerEntries.
const MaxKeys = 200

// maxBatchesInFlight limits the parallel calls of one batcher. Two batchers stay well below
// the limit of the client, so calls that hang leave room for all other methods.
const maxBatchesInFlight = 4

// entryBatcher combines the reads of many callers into few calls of getLedgerEntries.
type entryBatcher = batch.Batcher[string, entryBatch]

// entryBatch is the result of one call: the existing entries by key, and its ledger.
type entryBatch struct {
	entries map[string]protocol.LedgerEntryResult
	ledger  uint32
}

func newEntryBatcher(fetch func(context.Context, []string) (protocol.GetLedgerEntriesResponse, error), window func(context.Context) error) *entryBatcher {
	return &entryBatcher{
		Fetch: func(ctx context.Context, keys []string) (entryBatch, error) {
			got, err := fetch(ctx, keys)
			entries := make(map[string]protocol.LedgerEntryResult, len(got.Entries))
			for _, entry := range got.Entries {
				entries[entry.KeyXDR] = entry
			}
			return entryBatch{entries, got.LatestLedger}, err
		},
		MaxKeys: MaxKeys, MaxInFlight: maxBatchesInFlight, Window: window, SlowAfter: rpc.SlowAfter,
	}
}
