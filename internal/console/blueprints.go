package console

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
)

// blueprints lists the published blueprints.
func (p *page) blueprints() error {
	var list blueprintList
	if err := p.api.get(p.ctx(), "/admin/blueprints", nil, &list); err != nil {
		return err
	}
	if list.Blueprints == nil {
		list.Blueprints = []dto.Blueprint{} // The page has the blueprint standard in any case.
	}
	return p.render("blueprints", http.StatusOK, p.view("blueprints", "Blueprints", list))
}

// blueprintPath is the API's path of the blueprint of the page.
func (p *page) blueprintPath() string {
	return "/admin/blueprints/" + url.PathEscape(p.r.PathValue("name"))
}

// blueprint shows a blueprint with its revisions and what each migration does.
func (p *page) blueprint() error {
	var b dto.Blueprint
	if err := p.api.get(p.ctx(), p.blueprintPath(), nil, &b); err != nil {
		return err
	}
	v := p.view("blueprints", "", b)
	v.Title = b.Name
	return p.render("blueprint", http.StatusOK, v)
}

// activateBlueprint gives a revision to new tenants.
func (p *page) activateBlueprint() error {
	revision, _ := strconv.Atoi(p.form("revision")) // The API refuses 0.
	call := apiCall{method: http.MethodPost, path: p.blueprintPath() + "/activate", body: map[string]any{"revision": revision}}
	return p.changeBlueprint(call, "activate")
}

// retireBlueprint lets a blueprint make no new tenants.
func (p *page) retireBlueprint() error {
	return p.changeBlueprint(apiCall{method: http.MethodDelete, path: p.blueprintPath()}, "retire")
}

func (p *page) changeBlueprint(call apiCall, done string) error {
	if err := p.api.do(p.ctx(), call, nil); err != nil {
		return err
	}
	return p.redirect(Root+"/blueprints/"+url.PathEscape(p.r.PathValue("name")), url.Values{"done": {done}})
}
