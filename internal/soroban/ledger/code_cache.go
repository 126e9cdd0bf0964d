package ledger

import (
	"context"
	"sync"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// Codes reads the code entries of the hashes in codes, as of that ledger
// or a newer one.
func (r *Reader) Codes(ctx context.Context, codes map[xdr.Hash]protocol.LedgerEntryResult, ledger uint32) error {
	hashes, keys := []xdr.Hash{}, []xdr.LedgerKey{}
	for hash := range codes {
		if entry, ok := r.codes.get(hash, ledger); ok {
			codes[hash] = entry
			continue
		}
		hashes, keys = append(hashes, hash), append(keys, CodeKey(hash))
	}
	if len(keys) == 0 {
		return nil
	}
	found, at, err := r.Entries(ctx, keys...)
	if err != nil {
		return err
	}
	for i, hash := range hashes {
		codes[hash] = found[i]
		r.codes.put(hash, at, found[i])
	}
	return nil
}

// codeCache holds the code entries of the last read. All contracts share a few, and
// these are by far the largest entries: they are read once per ledger. They are not used
// for another ledger, not even an older one, because test networks are reset.
type codeCache struct {
	mu      sync.Mutex
	ledger  uint32
	entries map[xdr.Hash]protocol.LedgerEntryResult
}

// get returns an entry as of a ledger.
func (s *codeCache) get(hash xdr.Hash, ledger uint32) (protocol.LedgerEntryResult, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry, ok := s.entries[hash]
	return entry, ok && s.ledger == ledger
}

func (s *codeCache) put(hash xdr.Hash, ledger uint32, entry protocol.LedgerEntryResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries == nil || s.ledger != ledger {
		s.ledger, s.entries = ledger, map[xdr.Hash]protocol.LedgerEntryResult{}
	}
	s.entries[hash] = entry
}
