package apiclient

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Get reads a tenant. KindNotFound for an unknown id.
func (c *Client) Get(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	var v dto.Tenant
	err := c.call(ctx, request{op: "read tenant", method: http.MethodGet, path: tenantPath(id)}, &v)
	return v.Tenant(), err
}

// FindByName returns the tenant of that name that is not archived, else the one archived last.
func (c *Client) FindByName(ctx context.Context, name string) (tenant.Tenant, error) {
	name = tenant.NormalizeName(name)
	return c.findOne(ctx, "name", name, "there is no tenant named "+name, tenant.CheckName)
}

// FindByExternalID returns the tenant with that external id, in any status.
func (c *Client) FindByExternalID(ctx context.Context, externalID string) (tenant.Tenant, error) {
	return c.findOne(ctx, "externalId", externalID, "there is no tenant with the external id "+externalID, tenant.CheckExternalID)
}

// findOne queries the tenant with a field value. It does not send a value that breaks the
// rule of the field: the API rejects it, and no tenant can have it.
func (c *Client) findOne(ctx context.Context, field, value, notFound string, rule func(string) error) (tenant.Tenant, error) {
	const op = "find tenant"
	var found dto.TenantPage
	if rule(value) == nil {
		r := request{op: op, method: http.MethodGet, path: tenantsPath, query: map[string]string{field: value, "view": "full"}}
		if err := c.call(ctx, r, &found); err != nil {
			return tenant.Tenant{}, err
		}
	}
	if len(found.Tenants) == 0 {
		return tenant.Tenant{}, errs.Errorf(errs.KindNotFound, op, "%s", notFound)
	}
	return found.Tenants[0].Tenant(), nil
}

// Update changes a tenant in place. A version other than 0 must be the current one:
// KindStale otherwise.
func (c *Client) Update(ctx context.Context, id uuid.UUID, in tenant.Inputs, version int64) (tenant.Tenant, error) {
	r := request{op: "update tenant", method: http.MethodPatch, path: tenantPath(id), body: newUpdateRequest(in)}
	if version != 0 {
		r.header = map[string]string{"If-Match": fmt.Sprintf(`"%d"`, version)}
	}
	var v dto.Tenant
	err := c.call(ctx, r, &v)
	return v.Tenant(), err
}

// Archive archives a tenant; one that was never ACTIVE is rolled back.
func (c *Client) Archive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	if _, err := c.move(ctx, request{op: "archive tenant", method: http.MethodDelete, path: tenantPath(id)}, nil); err != nil {
		return tenant.Tenant{}, err
	}
	return c.Get(ctx, id)
}

var tenantsPath = []string{"admin", "tenants"}

func tenantPath(id uuid.UUID, segments ...string) []string {
	return append(append([]string{}, append(tenantsPath, id.String())...), segments...)
}
