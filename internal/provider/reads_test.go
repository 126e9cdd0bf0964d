package provider

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func TestReads(t *testing.T) {
	t.Parallel()
	all := make([]uuid.UUID, 500)
	for i := range all {
		all[i] = uuid.New()
	}
	t.Run("GathersWhatComesMeanwhile", func(t *testing.T) {
		t.Parallel()
		var (
			calls atomic.Int64
			first = make(chan struct{})
			begun = make(chan struct{})
		)
		r := newReads(func(_ context.Context, ids []uuid.UUID) (found []provisioning.Inspection, _ error) {
			if len(ids) > provisioning.MaxInspect {
				t.Errorf("%d at once", len(ids))
			}
			if calls.Add(1) == 1 {
				close(begun)
				<-first
			}
			for _, id := range ids {
				if id != all[7] {
					found = append(found, provisioning.Inspection{Tenant: provisioning.Tenant{ID: id}})
				}
			}
			return found, nil
		})
		var callers sync.WaitGroup
		ask := func(id uuid.UUID) {
			callers.Go(func() {
				found, err := r.inspect(t.Context(), id)
				if id == all[7] {
					if provisioning.KindOf(err) != provisioning.KindNotFound {
						t.Errorf("%v", err)
					}
				} else if err != nil || found.Tenant.ID != id {
					t.Errorf("%v, %v", found.Tenant.ID, err)
				}
			})
		}
		ask(all[0])
		<-begun
		for _, id := range all[1:] {
			ask(id)
		}
		for waiting := 0; waiting < len(all)-1; {
			r.mu.Lock()
			waiting = len(r.waiting)
			r.mu.Unlock()
		}
		close(first)
		callers.Wait()
		if n := calls.Load(); n != 6 { // One, and then 499 by the hundred.
			t.Errorf("%d calls", n)
		}
		// Nobody is asked for when nobody waits, and the next one is.
		found, err := r.inspect(t.Context(), all[1])
		if err != nil || found.Tenant.ID != all[1] || calls.Load() != 7 {
			t.Errorf("%v, %v, %d calls", found, err, calls.Load())
		}
	})
	t.Run("TellsAllOfAFault", func(t *testing.T) {
		t.Parallel()
		fault := errors.New("no")
		r := newReads(func(context.Context, []uuid.UUID) ([]provisioning.Inspection, error) { return nil, fault })
		for _, id := range all[:3] {
			if _, err := r.inspect(t.Context(), id); !errors.Is(err, fault) {
				t.Error(err)
			}
		}
	})
	t.Run("OneCallerThatStopsHoldsUpNoOther", func(t *testing.T) {
		t.Parallel()
		begun, end := make(chan struct{}), make(chan struct{})
		r := newReads(func(ctx context.Context, ids []uuid.UUID) ([]provisioning.Inspection, error) {
			close(begun)
			<-end
			return []provisioning.Inspection{{Tenant: provisioning.Tenant{ID: ids[0]}}}, ctx.Err()
		})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { _, err := r.inspect(ctx, all[0]); stopped <- err }()
		<-begun
		cancel()
		if err := <-stopped; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(end)
	})
}
