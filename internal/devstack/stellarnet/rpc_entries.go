package stellarnet

import (
	"context"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"
)

const (
	maxEntryKeys      = 200
	maxKeyDecodeBytes = 16 * 1024
)

func (n *Network) getLedgerEntries(
	ctx context.Context, q protocol.GetLedgerEntriesRequest,
) (protocol.GetLedgerEntriesResponse, error) {
	var zero protocol.GetLedgerEntriesResponse
	f, err := n.newXDRFormat(ctx, q.Format)
	if err != nil {
		return zero, err
	}
	if len(q.Keys) > maxEntryKeys {
		return zero, invalidParams("key count (%d) exceeds maximum supported (%d)", len(q.Keys), maxEntryKeys)
	}
	_, latest := n.window()
	state := n.ledger.viewAt(latest.seq())
	keys := make([]xdr.LedgerKey, len(q.Keys))
	for i, encoded := range q.Keys {
		key := &keys[i]
		options := xdr.DecodeOptions{MaxMemoryBytes: maxKeyDecodeBytes}
		if err := xdr.SafeUnmarshalBase64WithOptions(encoded, key, options); err != nil {
			return zero, invalidParams("cannot unmarshal key value %s at index %d", encoded, i)
		}
		if key.Type == xdr.LedgerEntryTypeTtl {
			return zero, invalidParams("ledger ttl entries cannot be queried directly")
		}
	}
	entries := make([]protocol.LedgerEntryResult, 0, len(keys))
	for _, key := range keys {
		if entry, ok := entryResult(f, state, key); ok {
			entries = append(entries, entry)
		}
	}
	return protocol.GetLedgerEntriesResponse{Entries: entries, LatestLedger: latest.seq()}, f.err
}

// entryResult leaves out expired temporary entries: they are deleted. Archived ones have
// a lifetime of 0: stellar-core does not report when it ended.
func entryResult(f *xdrFormat, state ledgerView, key xdr.LedgerKey) (protocol.LedgerEntryResult, bool) {
	name := keyOf(key)
	r, ok := state.get(name)
	if !ok || r.expired(state.seq) && !isPersistent(key) {
		return protocol.LedgerEntryResult{}, false
	}
	le := r.entry()
	out := protocol.LedgerEntryResult{LastModifiedLedger: uint32(le.LastModifiedLedgerSeq)}
	out.KeyXDR, out.KeyJSON = f.encodeValue(key)
	out.DataXDR, out.DataJSON = f.encodeValue(le.Data)
	out.ExtensionXDR, out.ExtensionJSON = f.encodeValue(le.Ext)
	if hasTTL(key) {
		liveUntil := r.liveUntil
		if r.expired(state.seq) {
			liveUntil = 0
		}
		out.LiveUntilLedgerSeq = &liveUntil
	}
	return out, true
}
