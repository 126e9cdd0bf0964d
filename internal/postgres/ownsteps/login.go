package ownsteps

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// OpenStepLogin opens the login of a step, or returns it.
func (s *Steps) OpenStepLogin(ctx context.Context, r provisioning.Run, step provisioning.OwnStep, password tenant.Password, ttl time.Duration) (credentials.Credential, error) {
	return s.logins.OpenForStep(ctx, r, step.WebhookID, password, ttl)
}

// CloseStepLogins ends the logins of a tenant's own steps.
func (s *Steps) CloseStepLogins(ctx context.Context, id uuid.UUID) error {
	return s.logins.CloseForSteps(ctx, id)
}
