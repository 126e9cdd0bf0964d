package audit

import (
	"context"
	"iter"

	"github.com/google/uuid"
)

// Reader reads audit chains.
type Reader interface {
	// Events returns at most limit events of a tenant with a Seq above after, in
	// order. uuid.Nil is the registry chain.
	Events(ctx context.Context, tenant uuid.UUID, after int64, limit int) ([]Event, error)
}

// readPage is how many events All reads at once.
const readPage = 500

// All reads the events of a tenant with a Seq above after, page by page. uuid.Nil is the
// registry chain. It ends with the first error.
func All(ctx context.Context, r Reader, tenant uuid.UUID, after int64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			page, err := r.Events(ctx, tenant, after, readPage)
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
				after = e.Seq
			}
			if len(page) < readPage {
				return
			}
		}
	}
}
