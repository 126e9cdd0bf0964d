package provider

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// reads gathers what is read at the same time into few queries: Terraform refreshes
// each resource by itself, ten at once or more. A read that comes while nobody asks
// goes out at once, and those that come meanwhile go together in the next one.
type reads struct {
	look func(ctx context.Context, ids []uuid.UUID) ([]provisioning.Inspection, error)

	mu      sync.Mutex
	waiting []*oneRead
	asking  bool
}

type oneRead struct {
	id    uuid.UUID
	done  chan struct{} // Closed once the rest is there.
	found provisioning.Inspection
	err   error
}

// inspect reads one tenant. KindNotFound for an unknown id.
func (r *reads) inspect(ctx context.Context, id uuid.UUID) (provisioning.Inspection, error) {
	own := &oneRead{id: id, done: make(chan struct{})}
	r.mu.Lock()
	r.waiting = append(r.waiting, own)
	if !r.asking {
		r.asking = true
		// It asks for others too, who are not to suffer when this caller stops.
		go r.ask(context.WithoutCancel(ctx))
	}
	r.mu.Unlock()
	select {
	case <-own.done:
		return own.found, own.err
	case <-ctx.Done():
		return provisioning.Inspection{}, ctx.Err()
	}
}

// ask asks until nobody waits.
func (r *reads) ask(ctx context.Context) {
	for {
		r.mu.Lock()
		n := min(len(r.waiting), provisioning.MaxInspect)
		batch := r.waiting[:n:n]
		r.waiting = r.waiting[n:]
		r.asking = n > 0
		r.mu.Unlock()
		if n == 0 {
			return
		}
		r.answer(ctx, batch)
	}
}

func (r *reads) answer(ctx context.Context, batch []*oneRead) {
	ctx, cancel := within(ctx, "read", readTimeout)
	defer cancel()
	ids := make([]uuid.UUID, len(batch))
	for i, one := range batch {
		ids[i] = one.id
	}
	found, err := r.look(ctx, ids)
	tenants := make(map[uuid.UUID]provisioning.Inspection, len(found))
	for _, f := range found {
		tenants[f.Tenant.ID] = f
	}
	for _, one := range batch {
		var there bool
		if one.found, there = tenants[one.id]; err != nil {
			one.err = err
		} else if !there {
			one.err = provisioning.Errorf(provisioning.KindNotFound, "read tenant", "there is no tenant %s", one.id)
		}
		close(one.done)
	}
}
