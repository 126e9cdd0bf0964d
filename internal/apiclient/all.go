package apiclient

import (
	"context"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// tenantSummary is a tenant as the API lists it.
type tenantSummary struct {
	ID         uuid.UUID `json:"id"`
	Name       string    `json:"name"`
	Status     string    `json:"status"`
	AdminEmail string    `json:"adminEmail"`
	CreatedAt  time.Time `json:"createdAt"`
}

// All goes through all tenants of a query, newest first, page by page; q.Limit is
// the size of a page, and q.After is not used. Of each tenant there are id, name, status,
// the admin's address and the time of creation. An error ends it.
func (c *Client) All(ctx context.Context, q tenant.ListQuery) iter.Seq2[tenant.Tenant, error] {
	if q.Limit == 0 {
		q.Limit = tenant.MaxPage
	}
	query := map[string]string{"limit": strconv.Itoa(q.Limit)}
	if q.Status != "" {
		query["status"] = string(q.Status)
	}
	if q.Text != "" {
		query["q"] = q.Text
	}
	return func(yield func(tenant.Tenant, error) bool) {
		for {
			var page struct {
				Tenants    []tenantSummary `json:"tenants"`
				NextCursor string          `json:"nextCursor"`
			}
			if err := c.call(ctx, request{op: "list tenants", method: http.MethodGet, path: tenantsPath, query: query}, &page); err != nil {
				yield(tenant.Tenant{}, err)
				return
			}
			for _, s := range page.Tenants {
				t := tenant.Tenant{ID: s.ID, Name: s.Name, Status: tenant.Status(s.Status), AdminEmail: s.AdminEmail, CreatedAt: s.CreatedAt}
				if !yield(t, nil) {
					return
				}
			}
			if page.NextCursor == "" {
				return
			}
			query["cursor"] = page.NextCursor
		}
	}
}
