package console

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// formField is one field of a form.
type formField struct {
	Name, Label, Value, Autocomplete string
	Max                              int
	Required                         bool
	Error                            string // What is wrong with the value; empty: nothing.
}

// tenantFields are the text fields of a tenant, by their names in the API.
var tenantFields = []formField{
	{Name: "name", Label: "Name", Autocomplete: "organization", Max: tenant.MaxNameLength, Required: true},
	{Name: "adminEmail", Label: "Administrator's e-mail", Max: tenant.MaxEmailBytes, Required: true},
	{Name: "adminFirstName", Label: "First name", Max: tenant.MaxPersonName, Required: true},
	{Name: "adminLastName", Label: "Last name", Max: tenant.MaxPersonName, Required: true},
	{Name: "externalId", Label: "External id (optional)", Max: tenant.MaxExternalID},
	{Name: "locale", Label: "Language of mails (optional, such as de-AT)", Max: tenant.MaxLocale},
}

// newTenantView is the data of the form of a new tenant.
type newTenantView struct {
	Blueprints []string
	Variables  []variableField
	Check      *checkView
	Problem    *problem.Problem

	language string
	values   url.Values
}

// variableField is the field of a variable of the blueprint.
type variableField struct {
	Name, Value, Default, Description, Error string
	Values                                   []string // The only ones; empty: any text.
	Required                                 bool
}

// checkView is what the API says of the inputs so far.
type checkView struct {
	Good   bool
	Errors []problem.FieldError
}

// Value is what was entered into a field.
func (v newTenantView) Value(name string) string { return v.values.Get(name) }

// Field is a text field with its value and its fault.
func (v newTenantView) Field(name string) formField {
	f := tenantFields[slices.IndexFunc(tenantFields, func(f formField) bool { return f.Name == name })]
	f.Label, f.Value, f.Error = translate(v.language, f.Label), v.values.Get(name), errorOf(v.Problem, name)
	if f.Autocomplete == "" {
		f.Autocomplete = "off"
	}
	return f
}

// errorOf is what a problem says of a field.
func errorOf(p *problem.Problem, field string) string {
	if p == nil {
		return ""
	}
	for _, e := range p.Errors {
		if e.Field == field {
			return e.Message
		}
	}
	return ""
}

// newTenant shows the form, for the blueprint in the address.
func (p *page) newTenant() error {
	if err := p.needs(access.ScopeWrite); err != nil {
		return err
	}
	values := url.Values{"blueprint": {p.r.URL.Query().Get("blueprint")}, "once": {rand.Text()}}
	return p.showNewTenant(http.StatusOK, values, nil)
}

func (p *page) showNewTenant(status int, values url.Values, rejected *problem.Problem) error {
	v := newTenantView{Blueprints: p.blueprintNames(), Problem: rejected, language: p.language, values: values}
	if values.Get("blueprint") == "" {
		values.Set("blueprint", tenant.StandardBlueprint)
	}
	if name := values.Get("blueprint"); name != tenant.StandardBlueprint {
		var b dto.Blueprint
		if err := p.api.get(p.ctx(), "/admin/blueprints/"+url.PathEscape(name), nil, &b); err != nil {
			return err
		}
		for _, one := range b.Variables {
			v.Variables = append(v.Variables, variableField{
				Name: one.Name, Value: values.Get("variable." + one.Name), Default: deref(one.Default), Description: deref(one.Description),
				Values: choices(deref(one.Pattern)), Required: one.Default == nil, Error: errorOf(rejected, "variables."+one.Name),
			})
		}
	}
	return p.render("new_tenant", status, p.view("tenants", "New tenant", v))
}

// choicePattern matches patterns that list words: a field for them is a choice.
var choicePattern = regexp.MustCompile(`^\^?\(?(?:\?:)?([\w.-]+(?:\|[\w.-]+)+)\)?\$?$`)

// choices are the words of a pattern that lists some; nil for another pattern.
func choices(pattern string) []string {
	match := choicePattern.FindStringSubmatch(pattern)
	if match == nil {
		return nil
	}
	return strings.Split(match[1], "|")
}

// newTenantBody is the form as the API takes it.
func (p *page) newTenantBody() (map[string]any, *problem.Problem) {
	body := map[string]any{"blueprint": p.form("blueprint"), "allowConfusableName": p.form("allowConfusableName") != ""}
	for _, f := range tenantFields {
		if value := p.form(f.Name); value != "" || f.Required {
			body[f.Name] = value
		}
	}
	if p.form("deletionProtection") != "" {
		body["deletionProtection"] = true
	}
	metadata, bad := p.metadata()
	if bad != nil {
		return nil, bad
	}
	if len(metadata) > 0 {
		body["metadata"] = metadata
	}
	variables := map[string]string{}
	for name := range p.r.PostForm {
		if variable, ok := strings.CutPrefix(name, "variable."); ok && p.form(name) != "" {
			variables[variable] = p.form(name)
		}
	}
	if len(variables) > 0 {
		body["variables"] = variables
	}
	return body, nil
}

// createTenant queues the tenant and leads to its page. A form that is sent twice makes one tenant.
func (p *page) createTenant() error {
	body, rejected := p.newTenantBody()
	if rejected != nil {
		return p.showNewTenant(rejected.Status, p.r.PostForm, rejected)
	}
	var made struct {
		TenantID string `json:"tenantId"`
	}
	call := apiCall{method: http.MethodPost, path: "/admin/tenants", body: body}
	if once := p.form("once"); once != "" {
		call.header = http.Header{"Idempotency-Key": {once}}
	}
	if err := p.api.do(p.ctx(), call, &made); err != nil {
		rejected := problemOf(err)
		if rejected == nil || rejected.Status == http.StatusUnauthorized {
			return err
		}
		if rejected.Status == http.StatusUnprocessableEntity { // It was changed after it had made a tenant, and can make another one.
			rejected = problem.New(rejected.Status, "this form has made a tenant already, with other values; send it again if you want another one")
			p.r.PostForm.Set("once", rand.Text())
		}
		return p.showNewTenant(rejected.Status, p.r.PostForm, rejected)
	}
	return p.redirect(Root+"/tenants/"+made.TenantID, url.Values{"done": {"create"}})
}

// checkTenant says what is wrong with the inputs so far. Fields that are still empty are no fault yet.
func (p *page) checkTenant() error {
	check := &checkView{}
	body, rejected := p.newTenantBody()
	if rejected == nil {
		err := p.api.do(p.ctx(), apiCall{method: http.MethodPost, path: "/admin/tenants/check", body: body}, nil)
		if rejected = problemOf(err); rejected == nil && err != nil {
			return err
		}
	}
	switch {
	case rejected == nil:
		check.Good = true
	case rejected.Status == http.StatusUnauthorized || rejected.Status == http.StatusForbidden:
		return rejected
	case len(rejected.Errors) == 0:
		check.Errors = []problem.FieldError{{Message: rejected.Detail}}
	}
	if rejected != nil {
		for _, e := range rejected.Errors {
			i := slices.IndexFunc(tenantFields, func(f formField) bool { return f.Name == e.Field })
			if i >= 0 {
				if p.form(e.Field) == "" {
					continue
				}
				e.Field = translate(p.language, tenantFields[i].Label)
			}
			check.Errors = append(check.Errors, e)
		}
	}
	return p.renderFragment("new_tenant", "check", p.view("tenants", "New tenant", newTenantView{Check: check}))
}
