package tenant

import (
	"context"
	"iter"
)

// Lister lists tenants page by page.
type Lister interface {
	// List returns one page, newest first.
	List(ctx context.Context, q ListQuery) (Page, error)
}

// All iterates over all tenants of a query, newest first, page by page; q.Limit is the
// size of a page, MaxPage for 0. An error ends it. Tenants that are created during the
// iteration are not included.
func All(ctx context.Context, l Lister, q ListQuery) iter.Seq2[Tenant, error] {
	if q.Limit == 0 {
		q.Limit = MaxPage
	}
	return func(yield func(Tenant, error) bool) {
		for {
			page, err := l.List(ctx, q)
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
