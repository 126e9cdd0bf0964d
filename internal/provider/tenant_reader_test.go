package provider

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestTenantReader(t *testing.T) {
	t.Parallel()
	tenantIDs := make([]uuid.UUID, 500)
	for i := range tenantIDs {
		tenantIDs[i] = uuid.New()
	}
	t.Run("BatchesConcurrentReads", func(t *testing.T) {
		t.Parallel()
		var (
			calls   atomic.Int64
			first   = make(chan struct{})
			started = make(chan struct{})
		)
		r := newTenantReader(func(_ context.Context, ids []uuid.UUID) (found []inspection.Inspection, _ error) {
			if len(ids) > inspection.MaxInspect {
				t.Errorf("%d at once", len(ids))
			}
			if calls.Add(1) == 1 {
				close(started)
				<-first
			}
			for _, id := range ids {
				if id != tenantIDs[7] {
					found = append(found, inspection.Inspection{Tenant: tenant.Tenant{ID: id}})
				}
			}
			return found, nil
		})
		var callers sync.WaitGroup
		inspect := func(id uuid.UUID) {
			callers.Go(func() {
				found, err := r.inspect(t.Context(), id)
				if id == tenantIDs[7] {
					if errs.KindOf(err) != errs.KindNotFound {
						t.Errorf("%v", err)
					}
				} else if err != nil || found.Tenant.ID != id {
					t.Errorf("%v, %v", found.Tenant.ID, err)
				}
			})
		}
		inspect(tenantIDs[0])
		<-started
		for _, id := range tenantIDs[1:] {
			inspect(id)
		}
		for r.Waiting() < len(tenantIDs)-1 {
			time.Sleep(time.Millisecond)
		}
		close(first)
		callers.Wait()
		if n := calls.Load(); n != 6 { // One, and then 499 by the hundred.
			t.Errorf("%d calls", n)
		}
		// No fetch runs without pending reads; the next read starts one.
		found, err := r.inspect(t.Context(), tenantIDs[1])
		if err != nil || found.Tenant.ID != tenantIDs[1] || calls.Load() != 7 {
			t.Errorf("%v, %v, %d calls", found, err, calls.Load())
		}
	})
	t.Run("ReturnsErrorToAllCallers", func(t *testing.T) {
		t.Parallel()
		failure := errors.New("no")
		r := newTenantReader(func(context.Context, []uuid.UUID) ([]inspection.Inspection, error) { return nil, failure })
		for _, id := range tenantIDs[:3] {
			if _, err := r.inspect(t.Context(), id); !errors.Is(err, failure) {
				t.Error(err)
			}
		}
	})
	t.Run("CancelledCallerDoesNotBlockOthers", func(t *testing.T) {
		t.Parallel()
		started, end := make(chan struct{}), make(chan struct{})
		r := newTenantReader(func(ctx context.Context, ids []uuid.UUID) ([]inspection.Inspection, error) {
			close(started)
			<-end
			return []inspection.Inspection{{Tenant: tenant.Tenant{ID: ids[0]}}}, ctx.Err()
		})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { _, err := r.inspect(ctx, tenantIDs[0]); stopped <- err }()
		<-started
		cancel()
		if err := <-stopped; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(end)
	})
}
