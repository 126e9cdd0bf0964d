package provisioning

import (
	"context"
	"iter"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// All goes through all tenants of a query, newest first, page by page; q.Limit is
// the size of a page. An error ends it. Tenants that are made meanwhile do not
// appear.
func (s *Service) All(ctx context.Context, q tenant.ListQuery) iter.Seq2[tenant.Tenant, error] {
	if q.Limit == 0 {
		q.Limit = tenant.MaxPage
	}
	return func(yield func(tenant.Tenant, error) bool) {
		for {
			page, err := s.List(ctx, q)
			if err != nil {
				yield(tenant.Tenant{}, err)
				return
			}
			for _, t := range page.Tenants {
				if !yield(t, nil) {
					return
				}
			}
			if page.Next == nil {
				return
			}
			q.After = page.Next
		}
	}
}
