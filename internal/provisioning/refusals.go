package provisioning

import "github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"

// WithRefusals returns the same service, which records the moves that it refuses
// before it changes anything. What fails later is in the provisioning log.
func (s *Service) WithRefusals(r *audit.Refusals) *Service {
	c := *s
	c.refusals = r
	return &c
}
