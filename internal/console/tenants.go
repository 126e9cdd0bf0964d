package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// tenantsView is the data of the list of tenants.
type tenantsView struct {
	Filter      url.Values
	MoreFilters bool // One of the filters is set that are folded away.
	Filtered    bool
	Statuses    []string
	Invitations []string
	Blueprints  []string
	Total       int64
	All         string // The text of the choice of all tenants, not only of this page's; empty: the page has all.
	Tenants     []dto.Tenant
	First, Next string // Addresses; empty: there is no such page.
	Moves       []move
	Problem     *problem.Problem
}

// filterNames are the filters that the form has under the API's own names.
var filterNames = []string{"q", "status", "blueprint", "invitation", "held", "suspended", "behind", "managedBy", "externalId"}

// moreFilterNames are those that are folded away.
var moreFilterNames = []string{"invitation", "held", "suspended", "behind", "managedBy", "externalId", "metadataKey", "metadataValue", "createdAfter", "createdBefore"}

// tenants shows the list. Its filters are in the address.
func (p *page) tenants() error {
	v := tenantsView{Filter: p.r.URL.Query(), Invitations: []string{"NONE", "PENDING", "ACCEPTED", "EXPIRED", "REVOKED"}}
	if id, err := uuid.Parse(strings.TrimSpace(v.Filter.Get("q"))); err == nil && !p.isFragment() {
		return p.redirect(Root+"/tenants/"+id.String(), nil)
	}
	for _, status := range tenant.Statuses() {
		v.Statuses = append(v.Statuses, string(status))
	}
	for _, m := range moves {
		if m.Many && p.may(m.Scope) {
			v.Moves = append(v.Moves, m)
		}
	}
	for _, name := range moreFilterNames {
		v.MoreFilters = v.MoreFilters || v.Filter.Get(name) != ""
	}
	query := listQuery(v.Filter)
	v.Filtered = len(query) > 2 // Besides view and limit.
	if cursor := v.Filter.Get("cursor"); cursor != "" {
		query.Set("cursor", cursor)
		v.First = p.listAddress(v.Filter, "")
	}
	var list dto.TenantPage
	err := p.api.get(p.ctx(), "/admin/tenants", query, &list)
	if v.Problem = problemOf(err); v.Problem != nil && v.Problem.Status != http.StatusBadRequest || v.Problem == nil && err != nil {
		return err
	}
	v.Total, v.Tenants = list.Total, list.Tenants
	switch more := list.Total > int64(len(list.Tenants)); {
	case more && list.Total > maxSelection:
		v.All = "The newest 500 of all %d that match, not only those of this page"
	case more:
		v.All = "All %d that match, not only those of this page"
	}
	if list.NextCursor != "" {
		v.Next = p.listAddress(v.Filter, list.NextCursor)
	}
	if p.isFragment() {
		p.w.Header().Set("HX-Replace-Url", p.listAddress(v.Filter, v.Filter.Get("cursor")))
		return p.renderFragment("tenants", "results", p.view("tenants", "Tenants", v))
	}
	v.Blueprints = p.blueprintNames()
	return p.render("tenants", http.StatusOK, p.view("tenants", "Tenants", v))
}

// listQuery converts the filters of the form to the parameters of the API.
func listQuery(filter url.Values) url.Values {
	query := url.Values{"view": {"full"}, "limit": {"50"}}
	for _, name := range filterNames {
		if value := filter.Get(name); value != "" {
			query.Set(name, value)
		}
	}
	for _, name := range []string{"createdAfter", "createdBefore"} {
		if day := filter.Get(name); day != "" {
			query.Set(name, day+"T00:00:00Z")
		}
	}
	if key := filter.Get("metadataKey"); key != "" {
		query.Set("metadata."+key, filter.Get("metadataValue"))
	}
	return query
}

// listAddress is the address of a page of the list, with the filters that are set.
func (p *page) listAddress(filter url.Values, cursor string) string {
	kept := url.Values{}
	for name, values := range filter {
		if name != "cursor" && name != "done" && len(values) > 0 && values[0] != "" {
			kept.Set(name, values[0])
		}
	}
	if cursor != "" {
		kept.Set("cursor", cursor)
	}
	if len(kept) == 0 {
		return Root + "/tenants"
	}
	return Root + "/tenants?" + kept.Encode()
}

// blueprintList is the API's list of blueprints.
type blueprintList struct {
	Blueprints []dto.Blueprint `json:"blueprints"`
}

// blueprintNames are the blueprints to choose from. Without an answer only the standard one is.
func (p *page) blueprintNames() []string {
	names := []string{tenant.StandardBlueprint}
	var list blueprintList
	if p.api.get(p.ctx(), "/admin/blueprints", nil, &list) != nil {
		return names
	}
	for _, b := range list.Blueprints {
		if b.RetiredAt == nil && b.ActiveRevision != nil {
			names = append(names, b.Name)
		}
	}
	return names
}
