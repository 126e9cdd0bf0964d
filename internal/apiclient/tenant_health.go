package apiclient

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Inspect reads tenants with the state of their schemas and contracts in one request, in no
// particular order and without unknown ids. KindInvalid for more than
// inspection.MaxInspect.
func (c *Client) Inspect(ctx context.Context, ids []uuid.UUID) ([]inspection.Inspection, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = id.String()
	}
	var page struct {
		Tenants []dto.TenantHealth `json:"tenants"`
	}
	err := c.call(ctx, request{
		op: "inspect tenants", method: http.MethodGet, path: []string{"admin", "tenants", "health"}, query: map[string]string{"tenantId": strings.Join(parts, ",")},
	}, &page)
	if errs.KindOf(err) == errs.KindNotFound {
		// The response omits unknown tenants, therefore a 404 means that the server does
		// not have this operation. It must not be read as missing tenants.
		return nil, errs.Wrap(err, errs.KindPermanent, "inspect tenants",
			"tenant-api at this address does not know GET /admin/tenants/health; it is older than this program: use the same release of both")
	}
	if err != nil {
		return nil, err
	}
	found := make([]inspection.Inspection, len(page.Tenants))
	for i, v := range page.Tenants {
		found[i] = v.Inspection()
	}
	return found, nil
}

// ReconcileContract extends, restores or redeploys a tenant's contract where that is due,
// and waits for the result.
func (c *Client) ReconcileContract(ctx context.Context, id uuid.UUID) error {
	return c.call(ctx, request{op: "reconcile contract", method: http.MethodPost, path: tenantPath(id, "contract", "reconcile")}, nil)
}

// Repair repairs a tenant's database role and returns the drift that it found; none when a
// worker of the server repaired it later. See inspection.Store.
func (c *Client) Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error) {
	var v struct {
		Tenant        dto.Tenant `json:"tenant"`
		DatabaseDrift []string   `json:"databaseDrift"`
	}
	queued, err := c.move(ctx, request{op: "repair tenant", method: http.MethodPost, path: tenantPath(id, "repair")}, &v)
	if err == nil && queued {
		t, err := c.Get(ctx, id)
		return t, nil, err
	}
	return v.Tenant.Tenant(), v.DatabaseDrift, err
}
