package provisioning

import (
	"context"
	"iter"
)

// Every goes through all tenants of a query, newest first, page by page; q.Limit is
// the size of a page. An error ends it. Tenants that are made meanwhile do not
// appear.
func (s *Service) Every(ctx context.Context, q ListQuery) iter.Seq2[Tenant, error] {
	if q.Limit == 0 {
		q.Limit = MaxPage
	}
	return func(yield func(Tenant, error) bool) {
		for {
			page, err := s.List(ctx, q)
			if err != nil {
				yield(Tenant{}, err)
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
