package console

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
)

// keysView is the data of the page of API keys.
type keysView struct {
	Keys    []dto.Key
	Scopes  []access.Scope
	Token   string // Of the key that was just created; it is shown this once.
	Form    url.Values
	Problem *problem.Problem
}

// keys lists the API keys.
func (p *page) keys() error { return p.showKeys(http.StatusOK, keysView{Form: url.Values{}}) }

func (p *page) showKeys(status int, v keysView) error {
	var list struct {
		Keys []dto.Key `json:"keys"`
	}
	if err := p.api.get(p.ctx(), "/admin/api-keys", nil, &list); err != nil {
		return err
	}
	v.Keys, v.Scopes = list.Keys, access.Scopes()
	return p.render("keys", status, p.view("keys", "API keys", v))
}

// createKey creates a key and shows its token.
func (p *page) createKey() error {
	body := map[string]any{"name": p.form("name"), "scopes": p.r.PostForm["scope"]}
	if p.r.PostForm["scope"] == nil {
		body["scopes"] = []string{}
	}
	if days, err := strconv.Atoi(p.form("days")); err == nil {
		body["expiresIn"] = strconv.Itoa(days*24) + "h"
	}
	if limit, err := strconv.Atoi(p.form("rateLimit")); err == nil {
		body["rateLimit"] = limit
	}
	metadata, rejected := p.metadata()
	if rejected != nil {
		return p.showKeys(rejected.Status, keysView{Form: p.r.PostForm, Problem: rejected})
	}
	if len(metadata) > 0 {
		body["onlyMetadata"] = metadata
	}
	var made struct {
		Token string `json:"token"`
	}
	if err := p.api.do(p.ctx(), apiCall{method: http.MethodPost, path: "/admin/api-keys", body: body}, &made); err != nil {
		if rejected := problemOf(err); rejected != nil && rejected.Status == http.StatusBadRequest {
			return p.showKeys(rejected.Status, keysView{Form: p.r.PostForm, Problem: rejected})
		}
		return err
	}
	return p.showKeys(http.StatusCreated, keysView{Form: url.Values{}, Token: made.Token})
}

// revokeKey revokes a key.
func (p *page) revokeKey() error {
	if err := p.api.do(p.ctx(), apiCall{method: http.MethodDelete, path: "/admin/api-keys/" + url.PathEscape(p.r.PathValue("id"))}, nil); err != nil {
		return err
	}
	return p.redirect(Root+"/keys", url.Values{"done": {"revoke"}})
}
