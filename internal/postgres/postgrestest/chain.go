//go:build unix

package postgrestest

import (
	"bytes"
	"crypto/sha256"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// VerifiedChain reads a chain and checks each link with an independent computation.
func (b Fixture) VerifiedChain(tenantID uuid.UUID) []audit.Event {
	b.T.Helper()
	events, err := b.Events(b.T.Context(), tenantID, 0, 1000)
	if err != nil {
		b.T.Fatal(err)
	}
	var prev []byte
	for i, e := range events {
		text := Value[string](b, `SELECT jsonb_build_array(tenant_id, seq, (extract(epoch FROM at) * 1000000)::bigint, action, outcome::text, actor, detail)::text
			FROM audit_events WHERE tenant_id = $1 AND seq = $2`, tenantID, e.Seq)
		sum := sha256.Sum256(append(bytes.Clone(prev), text...))
		if e.Seq != int64(i+1) || !bytes.Equal(sum[:], e.Hash) {
			b.T.Errorf("link %d (%s) does not match its predecessor", e.Seq, e.Action)
		}
		prev = e.Hash
	}
	head := `SELECT audit_head FROM tenants WHERE id = $1`
	if tenantID == uuid.Nil {
		head = `SELECT head FROM registry_audit WHERE $1 <> gen_random_uuid()`
	}
	if !bytes.Equal(Value[[]byte](b, head, tenantID), prev) {
		b.T.Error("the chain head is not the last link")
	}
	return events
}
