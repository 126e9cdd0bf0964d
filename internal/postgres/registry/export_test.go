package registry

import (
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// SetHash replaces the function that makes the stored form of a password.
func SetHash(s *Creations, hash func(context.Context, tenant.Password) (string, error)) {
	s.hash = hash
}
