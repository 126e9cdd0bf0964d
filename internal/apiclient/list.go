package apiclient

import (
	"context"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// List returns a page of tenants, newest first. KindInvalid for an invalid query.
func (c *Client) List(ctx context.Context, q tenant.ListQuery) (tenant.Page, error) {
	query := map[string]string{"view": "full"}
	set := func(name, value string) {
		if value != "" {
			query[name] = value
		}
	}
	set("status", string(q.Status))
	set("q", q.Text)
	set("blueprint", q.Blueprint)
	set("invitation", string(q.Invitation))
	set("managedBy", q.ManagedBy)
	set("held", dto.BoolText(q.Held))
	set("suspended", dto.BoolText(q.Suspended))
	set("behind", dto.BoolText(q.Behind))
	for key, value := range q.Metadata {
		query["metadata."+key] = value // Also an empty value.
	}
	for name, at := range map[string]time.Time{"createdAfter": q.CreatedAfter, "createdBefore": q.CreatedBefore} {
		if !at.IsZero() {
			query[name] = at.UTC().Format(time.RFC3339Nano)
		}
	}
	if q.Limit != 0 {
		set("limit", strconv.Itoa(q.Limit))
	}
	if q.After != nil {
		set("cursor", dto.TenantCursor(dto.TenantList(q, "", ""), *q.After))
	}
	var found dto.TenantPage
	if err := c.call(ctx, request{op: "list tenants", method: http.MethodGet, path: tenantsPath, query: query}, &found); err != nil {
		return tenant.Page{}, err
	}
	page := tenant.Page{Total: found.Total, Tenants: make([]tenant.Tenant, len(found.Tenants))}
	for i, t := range found.Tenants {
		page.Tenants[i] = t.Tenant()
	}
	if n := len(page.Tenants); n > 0 && found.NextCursor != "" {
		page.Next = &tenant.Position{CreatedAt: page.Tenants[n-1].CreatedAt, ID: page.Tenants[n-1].ID}
	}
	return page, nil
}

// All iterates over all tenants of a query, newest first; q.Limit is the page size. It
// stops at the first error.
func (c *Client) All(ctx context.Context, q tenant.ListQuery) iter.Seq2[tenant.Tenant, error] {
	if q.Limit == 0 {
		q.Limit = tenant.MaxPage
	}
	return func(yield func(tenant.Tenant, error) bool) {
		for {
			page, err := c.List(ctx, q)
			if err != nil {
				yield(tenant.Tenant{}, err)
				return
			}
			for _, t := range page.Tenants {
				if !yield(t, nil) {
					return
				}
			}
			if page.Next == nil {
				return
			}
			q.After = page.Next
		}
	}
}
