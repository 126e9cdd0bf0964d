package access

import (
	"context"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// Store is what the registry does about keys. Every method can also return
// KindTransient when the registry does not answer.
type Store interface {
	// Create stores a new key. KindConflict when a key that is not revoked has its name.
	Create(ctx context.Context, k Key) error
	// FindByPrefix returns KindNotFound for a prefix that no key has. A key that is revoked
	// or expired is found.
	FindByPrefix(ctx context.Context, prefix string) (Key, error)
	// List gives all keys, the newest first.
	List(ctx context.Context) ([]Key, error)
	// Revoke takes back the key of that id, prefix or name, for good, and returns it
	// as it is then. Repeated with an id or a prefix it changes nothing. KindNotFound
	// when there is no such key, or none of that name that is not revoked.
	Revoke(ctx context.Context, ref string) (Key, error)
	// RecordUse notes that the key was used, at most once a minute.
	RecordUse(ctx context.Context, id uuid.UUID) error
}

// The actions on keys that the registry writes into the platform's audit log,
// each in the transaction of the change.
const (
	AuditCreateKey audit.Action = "apikey.create"
	AuditRevokeKey audit.Action = "apikey.revoke"
)
