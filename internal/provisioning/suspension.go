package provisioning

import (
	"context"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// SuspensionStore takes tenants out of service for a time.
type SuspensionStore interface {
	// Suspend makes an ACTIVE tenant SUSPENDED and does not change a SUSPENDED one: no role but the
	// owner's can use its schema, its logins and invitations end. The warnings name what others have
	// to end. KindConflict for any other status.
	Suspend(ctx context.Context, id uuid.UUID) (t tenant.Tenant, warnings []string, err error)
	// Resume makes a SUSPENDED tenant ACTIVE and does not change an ACTIVE one. Logins and
	// invitations stay ended. KindConflict for any other status.
	Resume(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
}

// Suspend takes a live tenant out of service for a time; see SuspensionStore.Suspend.
func (s *Service) Suspend(ctx context.Context, id uuid.UUID) (Outcome, error) {
	t, warnings, err := s.suspensions.Suspend(ctx, id)
	return Outcome{Tenant: t, Warnings: warnings}, s.refusals.Add(ctx, id, audit.ActionSuspend, err)
}

// Resume brings a suspended tenant back into service; see SuspensionStore.Resume.
func (s *Service) Resume(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	t, err := s.suspensions.Resume(ctx, id)
	return t, s.refusals.Add(ctx, id, audit.ActionResume, err)
}
