package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
)

// editView is the data of the form that changes a tenant.
type editView struct {
	ID, Name  string
	Version   string // What the person has seen.
	Fields    []formField
	Metadata  string
	Protected bool
	Problem   *problem.Problem
	Stale     bool // Another person has changed the tenant meanwhile.
	Current   []formField
}

// editTenant shows the form with the tenant's values.
func (p *page) editTenant() error {
	if err := p.needs(access.ScopeWrite); err != nil {
		return err
	}
	var t dto.Tenant
	if err := p.api.get(p.ctx(), p.tenantPath(), nil, &t); err != nil {
		return err
	}
	v := editView{
		ID: t.ID.String(), Name: t.Name, Version: strconv.FormatInt(t.Version, 10), Fields: p.fieldsOf(t),
		Metadata: metadataText(t.Metadata), Protected: t.DeletionProtection,
	}
	return p.render("edit_tenant", http.StatusOK, p.view("tenants", "Edit", v))
}

// fieldsOf are the text fields with the tenant's values.
func (p *page) fieldsOf(t dto.Tenant) []formField {
	values := map[string]string{
		"name": t.Name, "adminEmail": t.AdminEmail, "adminFirstName": t.AdminFirstName, "adminLastName": t.AdminLastName,
		"externalId": deref(t.ExternalID), "locale": deref(t.Locale),
	}
	fields := slices.Clone(tenantFields)
	for i := range fields {
		fields[i].Label, fields[i].Value, fields[i].Autocomplete = translate(p.language, fields[i].Label), values[fields[i].Name], "off"
	}
	return fields
}

// updateTenant changes the tenant, if it is still as the person has seen it.
func (p *page) updateTenant() error {
	body := map[string]any{"deletionProtection": p.form("deletionProtection") != ""}
	for _, f := range tenantFields {
		body[f.Name] = p.form(f.Name)
	}
	metadata, rejected := p.metadata()
	if rejected != nil {
		return p.showRejectedEdit(rejected)
	}
	body["metadata"] = metadata
	call := apiCall{method: http.MethodPatch, path: p.tenantPath(), body: body, header: http.Header{"If-Match": {`"` + p.form("version") + `"`}}}
	if err := p.api.do(p.ctx(), call, nil); err != nil {
		if rejected := problemOf(err); rejected != nil && rejected.Status != http.StatusUnauthorized && rejected.Status != http.StatusNotFound {
			return p.showRejectedEdit(rejected)
		}
		return err
	}
	return p.redirect(Root+"/tenants/"+url.PathEscape(p.r.PathValue("id")), url.Values{"done": {"edit"}})
}

// showRejectedEdit shows what the person entered, and the tenant as it is now where it has changed meanwhile.
func (p *page) showRejectedEdit(rejected *problem.Problem) error {
	var t dto.Tenant
	if err := p.api.get(p.ctx(), p.tenantPath(), nil, &t); err != nil {
		return err
	}
	v := editView{
		ID: t.ID.String(), Name: t.Name, Version: p.form("version"), Fields: p.fieldsOf(t), Metadata: p.r.PostForm.Get("metadata"),
		Protected: p.form("deletionProtection") != "", Problem: rejected, Stale: rejected.Status == http.StatusPreconditionFailed,
	}
	if v.Stale {
		v.Version = strconv.FormatInt(t.Version, 10)
		v.Current = append(p.fieldsOf(t), formField{Label: translate(p.language, "Metadata"), Value: metadataText(t.Metadata)})
	}
	for i := range v.Fields {
		v.Fields[i].Value, v.Fields[i].Error = p.r.PostForm.Get(v.Fields[i].Name), errorOf(rejected, v.Fields[i].Name)
	}
	return p.render("edit_tenant", rejected.Status, p.view("tenants", "Edit", v))
}
