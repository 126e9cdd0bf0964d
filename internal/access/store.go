package access

import (
	"context"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// Store is the registry's port for keys. Every method can also return KindTransient when
// the registry does not answer.
type Store interface {
	// Create stores a new key. KindConflict if a key with this name exists that is not
	// revoked.
	Create(ctx context.Context, k Key) error
	// FindByPrefix returns KindNotFound for an unknown prefix. It also finds revoked and
	// expired keys.
	FindByPrefix(ctx context.Context, prefix string) (Key, error)
	// List returns all keys, newest first.
	List(ctx context.Context) ([]Key, error)
	// FindRevoked returns those of the ids whose keys are revoked or do not exist. It does not
	// wait for other callers of the registry.
	FindRevoked(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error)
	// Revoke permanently revokes the key with that id, prefix or name, and returns the
	// revoked key. Repeated with an id or a prefix it changes nothing. KindNotFound for an
	// unknown key, or a name without an unrevoked key.
	Revoke(ctx context.Context, ref string) (Key, error)
	// RecordUse stores the time of use, at most once a minute.
	RecordUse(ctx context.Context, id uuid.UUID) error
}

// The actions on keys in the registry's audit chain. The registry writes each in the
// transaction of the change.
const (
	AuditCreateKey audit.Action = "apikey.create"
	AuditRevokeKey audit.Action = "apikey.revoke"
)
