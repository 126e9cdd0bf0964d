package stellarnet

import (
	"context"
	"encoding/base64"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"
)

const (
	maxEntryKeys      = 200
	maxKeyDecodeBytes = 16 * 1024
)

func (n *Network) getLedgerEntries(
	_ context.Context, q protocol.GetLedgerEntriesRequest,
) (protocol.GetLedgerEntriesResponse, error) {
	var none protocol.GetLedgerEntriesResponse
	if err := checkFormat(q.Format); err != nil {
		return none, err
	}
	if len(q.Keys) > maxEntryKeys {
		return none, invalidParams("key count (%d) exceeds maximum supported (%d)", len(q.Keys), maxEntryKeys)
	}
	_, latest := n.window()
	state := n.ledger.at(latest.seq())
	entries := make([]protocol.LedgerEntryResult, 0, len(q.Keys))
	for i, encoded := range q.Keys {
		var key xdr.LedgerKey
		options := xdr.DecodeOptions{MaxMemoryBytes: maxKeyDecodeBytes}
		if err := xdr.SafeUnmarshalBase64WithOptions(encoded, &key, options); err != nil {
			return none, invalidParams("cannot unmarshal key value %s at index %d", encoded, i)
		}
		if key.Type == xdr.LedgerEntryTypeTtl {
			return none, invalidParams("ledger ttl entries cannot be queried directly")
		}
		if entry, ok := entryResult(state, key); ok {
			entries = append(entries, entry)
		}
	}
	return protocol.GetLedgerEntriesResponse{Entries: entries, LatestLedger: latest.seq()}, nil
}

// entryResult leaves out temporary entries that have expired: they are gone.
// Archived ones are shown with a lifetime of 0: stellar-core does not say when
// their time was over.
func entryResult(state snapshot, key xdr.LedgerKey) (protocol.LedgerEntryResult, bool) {
	name := keyOf(key)
	r, ok := state.get(name)
	if !ok || r.expired(state.seq) && !isPersistent(key) {
		return protocol.LedgerEntryResult{}, false
	}
	le := r.entry()
	out := protocol.LedgerEntryResult{
		KeyXDR:             base64.StdEncoding.EncodeToString([]byte(name)),
		DataXDR:            base64.StdEncoding.EncodeToString(marshal(le.Data)),
		ExtensionXDR:       base64.StdEncoding.EncodeToString(marshal(le.Ext)),
		LastModifiedLedger: uint32(le.LastModifiedLedgerSeq),
	}
	if hasTTL(key) {
		liveUntil := r.liveUntil
		if r.expired(state.seq) {
			liveUntil = 0
		}
		out.LiveUntilLedgerSeq = &liveUntil
	}
	return out, true
}
