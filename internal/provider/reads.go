package provider

import (
	"context"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// reads gathers reads of tenants into few queries.
type reads struct {
	together[uuid.UUID, *provisioning.Inspection]
}

func newReads(look func(ctx context.Context, ids []uuid.UUID) ([]provisioning.Inspection, error)) *reads {
	return &reads{together[uuid.UUID, *provisioning.Inspection]{most: provisioning.MaxInspect,
		ask: func(ctx context.Context, ids []uuid.UUID) ([]*provisioning.Inspection, error) {
			ctx, cancel := within(ctx, "read", readTimeout)
			defer cancel()
			found, err := look(ctx, ids)
			if err != nil {
				return nil, err
			}
			tenants := make(map[uuid.UUID]*provisioning.Inspection, len(found))
			for i := range found {
				tenants[found[i].Tenant.ID] = &found[i]
			}
			inOrder := make([]*provisioning.Inspection, len(ids))
			for i, id := range ids {
				inOrder[i] = tenants[id]
			}
			return inOrder, nil
		}}}
}

// inspect reads one tenant. KindNotFound for an unknown id.
func (r *reads) inspect(ctx context.Context, id uuid.UUID) (provisioning.Inspection, error) {
	found, err := r.get(ctx, id)
	if err == nil && found == nil {
		err = provisioning.Errorf(provisioning.KindNotFound, "read tenant", "there is no tenant %s", id)
	}
	if err != nil {
		return provisioning.Inspection{}, err
	}
	return *found, nil
}
