package console

import (
	"net/http"
	"net/url"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
)

// contractsView is the data of the page of channels and contracts.
type contractsView struct {
	Channels        *dto.ChannelList
	ChannelsProblem *problem.Problem
	States          []string
	State           string
	FailedOnly      bool
	Contracts       []dto.Contract
	Next            string // The address of the next page; empty: there is none.
	Problem         *problem.Problem
}

// contractStates are the states of contracts, the healthy one first.
var contractStates = []string{"LIVE", "EXPIRING", "EXPIRED", "MISSING", "MISMATCH"}

// contracts shows channel accounts and contracts as the registry last recorded them.
func (p *page) contracts() error {
	filter := p.r.URL.Query()
	v := contractsView{States: contractStates, State: filter.Get("state"), FailedOnly: filter.Get("failed") == "true"}
	var channels dto.ChannelList
	err := p.api.get(p.ctx(), "/admin/channels", nil, &channels)
	if v.ChannelsProblem = problemOf(err); v.ChannelsProblem == nil {
		if err != nil {
			return err
		}
		v.Channels = &channels
	} else if v.ChannelsProblem.Status == http.StatusUnauthorized {
		return err
	}
	query := url.Values{"limit": {"50"}}
	for _, name := range []string{"state", "failed", "cursor"} {
		if value := filter.Get(name); value != "" {
			query.Set(name, value)
		}
	}
	var list contractPage
	err = p.api.get(p.ctx(), "/admin/contracts", query, &list)
	if v.Problem = problemOf(err); v.Problem == nil && err != nil {
		return err
	}
	v.Contracts = list.Contracts
	if list.NextCursor != "" {
		query.Del("limit")
		query.Set("cursor", list.NextCursor)
		v.Next = Root + "/contracts?" + query.Encode()
	}
	return p.render("contracts", http.StatusOK, p.view("contracts", "Contracts", v))
}

// contractPage is a page of the API's list of contracts.
type contractPage struct {
	Contracts  []dto.Contract `json:"contracts"`
	NextCursor string         `json:"nextCursor"`
}
