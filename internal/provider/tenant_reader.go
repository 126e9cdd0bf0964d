package provider

import (
	"context"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
)

// tenantReader combines concurrent reads of tenants into few inspections.
type tenantReader struct {
	batcher[uuid.UUID, *inspection.Inspection]
}

func newTenantReader(inspect func(ctx context.Context, ids []uuid.UUID) ([]inspection.Inspection, error)) *tenantReader {
	return &tenantReader{batcher[uuid.UUID, *inspection.Inspection]{maxBatch: inspection.MaxInspect,
		fetch: func(ctx context.Context, ids []uuid.UUID) ([]*inspection.Inspection, error) {
			ctx, cancel := withTimeout(ctx, "read", readTimeout)
			defer cancel()
			found, err := inspect(ctx, ids)
			if err != nil {
				return nil, err
			}
			tenants := make(map[uuid.UUID]*inspection.Inspection, len(found))
			for i := range found {
				tenants[found[i].Tenant.ID] = &found[i]
			}
			ordered := make([]*inspection.Inspection, len(ids))
			for i, id := range ids {
				ordered[i] = tenants[id]
			}
			return ordered, nil
		}}}
}

// inspect reads one tenant. KindNotFound for an unknown id.
func (r *tenantReader) inspect(ctx context.Context, id uuid.UUID) (inspection.Inspection, error) {
	found, err := r.get(ctx, id)
	if err == nil && found == nil {
		err = errs.Errorf(errs.KindNotFound, "read tenant", "there is no tenant %s", id)
	}
	if err != nil {
		return inspection.Inspection{}, err
	}
	return *found, nil
}
