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
		sum := sha256.Sum256(append(bytes.Clone(prev), b.linkContent(tenantID, e.Seq)...))
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

// linkContent is what the hash of an event covers, after the previous hash.
func (b Fixture) linkContent(tenantID uuid.UUID, seq int64) []byte {
	b.T.Helper()
	var (
		text   string
		salt   []byte
		values [2]*string
		hashes [2][]byte
	)
	err := b.Pool().QueryRow(b.T.Context(), `SELECT jsonb_build_array(tenant_id, seq, (extract(epoch FROM at) * 1000000)::bigint, action, outcome::text)::text,
			uuid_send(salt), actor::text, detail::text, actor_hash, detail_hash
		FROM audit_events WHERE tenant_id = $1 AND seq = $2`, tenantID, seq).Scan(&text, &salt, &values[0], &values[1], &hashes[0], &hashes[1])
	b.Must(err)
	content := []byte(text)
	for i, value := range values {
		hash := hashes[i]
		if value != nil {
			salted := sha256.Sum256(append(bytes.Clone(salt), *value...))
			hash = salted[:]
		}
		content = append(content, hash...)
	}
	return content
}
