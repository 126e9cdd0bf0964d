package apiclient

import (
	"context"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// summary is a tenant as the API lists it.
type summary struct {
	ID         uuid.UUID `json:"id"`
	Name       string    `json:"name"`
	Status     string    `json:"status"`
	AdminEmail string    `json:"adminEmail"`
	CreatedAt  time.Time `json:"createdAt"`
}

// Every goes through all tenants of a query, newest first, page by page; q.Limit is
// the size of a page, and q.After is not used. Of each tenant there are id, name, status,
// the admin's address and the time of creation. An error ends it.
func (c *Client) Every(ctx context.Context, q provisioning.ListQuery) iter.Seq2[provisioning.Tenant, error] {
	if q.Limit == 0 {
		q.Limit = provisioning.MaxPage
	}
	query := map[string]string{"limit": strconv.Itoa(q.Limit)}
	if q.Status != "" {
		query["status"] = string(q.Status)
	}
	if q.Text != "" {
		query["q"] = q.Text
	}
	return func(yield func(provisioning.Tenant, error) bool) {
		for {
			var page struct {
				Tenants    []summary `json:"tenants"`
				NextCursor string    `json:"nextCursor"`
			}
			if err := c.call(ctx, request{op: "list tenants", method: http.MethodGet, path: tenantsPath, query: query}, &page); err != nil {
				yield(provisioning.Tenant{}, err)
				return
			}
			for _, s := range page.Tenants {
				t := provisioning.Tenant{ID: s.ID, Name: s.Name, Status: provisioning.Status(s.Status), AdminEmail: s.AdminEmail, CreatedAt: s.CreatedAt}
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
