package provider

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/batch"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
)

// readWindow is how long reads are collected. Terraform reads ten or more resources in
// parallel: the wait is short beside a read, and combines many into a few queries.
const readWindow = 2 * time.Millisecond

// tenantReader combines concurrent reads of tenants into few inspections.
type tenantReader struct {
	batch.Batcher[uuid.UUID, map[uuid.UUID]inspection.Inspection]
}

func newTenantReader(inspect func(ctx context.Context, ids []uuid.UUID) ([]inspection.Inspection, error)) *tenantReader {
	r := &tenantReader{}
	r.MaxKeys, r.MaxInFlight = inspection.MaxInspect, 1
	r.Window = func(ctx context.Context) error { return clock.System{}.Sleep(ctx, readWindow) }
	r.Fetch = func(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]inspection.Inspection, error) {
		ctx, cancel := withTimeout(ctx, "read", readTimeout)
		defer cancel()
		found, err := inspect(ctx, ids)
		tenants := make(map[uuid.UUID]inspection.Inspection, len(found))
		for _, i := range found {
			tenants[i.Tenant.ID] = i
		}
		return tenants, err
	}
	return r
}

// inspect reads one tenant. KindNotFound for an unknown id.
func (r *tenantReader) inspect(ctx context.Context, id uuid.UUID) (inspection.Inspection, error) {
	tenants, err := r.Get(ctx, id)
	if err != nil {
		return inspection.Inspection{}, err
	}
	found, ok := tenants[id]
	if !ok {
		return found, errs.Errorf(errs.KindNotFound, "read tenant", "there is no tenant %s", id)
	}
	return found, nil
}
