package apiclient

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Inspect reads tenants, with what the database has of them, all in one call and in
// no order; ids that nobody has are left out. KindInvalid for more than
// provisioning.MaxInspect.
func (c *Client) Inspect(ctx context.Context, ids []uuid.UUID) ([]provisioning.Inspection, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = id.String()
	}
	var page struct {
		Inspections []struct {
			Tenant         view     `json:"tenant"`
			DatabaseState  *string  `json:"databaseState"`
			DatabaseFaults []string `json:"databaseFaults"`
		} `json:"inspections"`
	}
	err := c.call(ctx, request{
		op: "inspect tenants", method: http.MethodGet, path: []string{"admin", "inspections"}, query: map[string]string{"tenantId": strings.Join(words, ",")},
	}, &page)
	if err != nil {
		return nil, err
	}
	found := make([]provisioning.Inspection, len(page.Inspections))
	for i, v := range page.Inspections {
		found[i] = provisioning.Inspection{Tenant: v.Tenant.tenant(), Database: provisioning.DatabaseState(value(v.DatabaseState)), Faults: v.DatabaseFaults}
	}
	return found, nil
}

// Repair puts a tenant's database role right, and tells what was not. See
// provisioning.Inspector.
func (c *Client) Repair(ctx context.Context, id uuid.UUID) (provisioning.Tenant, []string, error) {
	var v struct {
		Tenant view     `json:"tenant"`
		Faults []string `json:"faults"`
	}
	err := c.call(ctx, request{op: "repair tenant", method: http.MethodPost, path: tenantPath(id, "repair")}, &v)
	return v.Tenant.tenant(), v.Faults, err
}
