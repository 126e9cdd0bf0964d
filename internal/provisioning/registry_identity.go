package provisioning

import (
	"context"

	"github.com/google/uuid"
)

// RegistryIdentity says which registry a program works with.
type RegistryIdentity struct {
	ID uuid.UUID // Chosen at random when the registry was made; a restored one has the same.
	// Timeline counts the restores from a backup that were accepted, from 1. What was recorded of
	// a registry in a later timeline, or of a later version of a tenant, is from before a restore.
	Timeline int
}

// IdentityStore knows which registry it is.
type IdentityStore interface {
	RegistryIdentity(ctx context.Context) (RegistryIdentity, error)
	// AcceptRestore raises the timeline by one, records the reason, and lets runs begin again.
	AcceptRestore(ctx context.Context, reason string) (RegistryIdentity, error)
}

// RegistryIdentity returns which registry the service works with.
func (s *Service) RegistryIdentity(ctx context.Context) (RegistryIdentity, error) {
	return s.identity.RegistryIdentity(ctx)
}

// AcceptRestore records that the registry was restored from a backup and is the one to go on with.
// KindInvalid for a reason that is empty or too long.
func (s *Service) AcceptRestore(ctx context.Context, reason string) (RegistryIdentity, error) {
	reason, err := checkReason("accept restore", reason)
	if err != nil {
		return RegistryIdentity{}, err
	}
	return s.identity.AcceptRestore(ctx, reason)
}
