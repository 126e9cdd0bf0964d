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
		rejected := problem.Invalid(problem.FieldError{Field: "scopes", Message: translate(p.language, "are missing; choose at least one")})
		return p.showKeys(rejected.Status, keysView{Form: p.r.PostForm, Problem: rejected})
	}
	for field, set := range map[string]func(int){
		"days":      func(n int) { body["expiresIn"] = strconv.Itoa(n*24) + "h" },
		"rateLimit": func(n int) { body["rateLimit"] = n },
	} {
		text := p.form(field)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > access.MaxRateLimit {
			rejected := problem.Invalid(problem.FieldError{Field: field, Message: translate(p.language, "is no whole number from 1")})
			return p.showKeys(rejected.Status, keysView{Form: p.r.PostForm, Problem: rejected})
		}
		set(n)
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
		if rejected := problemOf(err); rejected != nil && (rejected.Status == http.StatusBadRequest || rejected.Status == http.StatusConflict) {
			return p.showKeys(rejected.Status, keysView{Form: p.r.PostForm, Problem: rejected})
		}
		return err
	}
	return p.showKeys(http.StatusCreated, keysView{Form: url.Values{}, Token: made.Token})
}

// revokeView is the data of the page that confirms that a key is revoked.
type revokeView struct {
	dto.Key

	Own bool // The person is signed in with it.
}

// confirmRevoke asks whether a key is to be revoked.
func (p *page) confirmRevoke() error {
	var list struct {
		Keys []dto.Key `json:"keys"`
	}
	if err := p.api.get(p.ctx(), "/admin/api-keys", nil, &list); err != nil {
		return err
	}
	for _, k := range list.Keys {
		if k.ID.String() == p.r.PathValue("id") {
			return p.render("revoke_key", http.StatusOK, p.view("keys", "Revoke", revokeView{k, k.Prefix == p.who.Caller.ID}))
		}
	}
	p.fail(http.StatusNotFound, "This page does not exist.")
	return nil
}

// revokeKey revokes a key.
func (p *page) revokeKey() error {
	if err := p.api.do(p.ctx(), apiCall{method: http.MethodDelete, path: "/admin/api-keys/" + url.PathEscape(p.r.PathValue("id"))}, nil); err != nil {
		return err
	}
	return p.redirect(Root+"/keys", url.Values{"done": {"revoke"}})
}
