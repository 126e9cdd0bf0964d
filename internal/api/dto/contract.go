package dto

import (
	"encoding/hex"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
)

// Anchor is an event of an audit chain, as a contract keeps it.
type Anchor struct {
	Seq    int64  `json:"seq"`    // The event's number in its tenant's log.
	Root   string `json:"root"`   // Its hash, hex.
	Ledger int64  `json:"ledger"` // In which it was anchored.
}

// NewAnchor is the form of an anchor in JSON, null for none.
func NewAnchor(a contracts.Anchor) *Anchor {
	if a.Seq == 0 {
		return nil
	}
	return &Anchor{Seq: a.Seq, Root: hex.EncodeToString(a.Root[:]), Ledger: int64(a.Ledger)}
}

// Anchor gives the anchor back.
func (v Anchor) Anchor() (a contracts.Anchor) {
	a.Seq, a.Ledger = v.Seq, ledger(&v.Ledger)
	if root, err := hex.DecodeString(v.Root); err == nil {
		copy(a.Root[:], root)
	}
	return a
}
