package api

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/validate"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

type listTenantsInput struct {
	Status     string `query:"status" enum:"PENDING,PROVISIONING,ACTIVE,SUSPENDED,FAILED,ARCHIVED" doc:"Only tenants of this status."`
	Q          string `query:"q" maxLength:"255" doc:"A part of the name or of the admin's e-mail, ignoring case." example:"mary"`
	Name       string `query:"name" minLength:"1" maxLength:"255" doc:"The tenant with exactly this name, ignoring case: the one that is not archived, else the one archived last." example:"St. Mary's Clinic"`
	ExternalID string `query:"externalId" minLength:"1" maxLength:"255" doc:"The tenant with this external id, in any status." example:"crm-4711"`
	Blueprint  string `query:"blueprint" minLength:"1" maxLength:"63" pattern:"^[a-z][a-z0-9_-]*$" patternDescription:"the name of a blueprint" doc:"Only tenants that were made from this blueprint." example:"clinic"`
	Invitation string `query:"invitation" enum:"NONE,PENDING,ACCEPTED,EXPIRED,REVOKED" doc:"Only tenants whose administrator's newest invitation has this status."`
	ManagedBy  string `query:"managedBy" minLength:"1" maxLength:"255" doc:"Only tenants that this manages." example:"terraform/production"`
	After      string `query:"createdAfter" format:"date-time" doc:"Only tenants that were created after this time." example:"2026-01-31T00:00:00Z"`
	Before     string `query:"createdBefore" format:"date-time" doc:"Only tenants that were created before this time."`
	Held       string `query:"held" enum:"true,false" doc:"Only tenants under a legal hold, or only those without one."`
	Suspended  string `query:"suspended" enum:"true,false" doc:"Only tenants that are suspended, or were when they were archived; or only the others."`
	Behind     string `query:"behind" enum:"true,false" doc:"Only tenants that were live, are not purged and are at an older revision of their blueprint, or schema version, than new tenants get; or only the others. It reads all tenants that pass the other filters."`
	View       string `query:"view" enum:"summary,full" default:"summary" doc:"summary returns the main fields of each tenant, full returns all fields."`
	Limit      int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Maximum number of tenants."`
	Cursor     string `query:"cursor" minLength:"1" maxLength:"128" doc:"The nextCursor of the previous page, with the same filters."`

	metadata tenant.MetadataFilter
}

// metadataParam is the parameter metadata.KEY=VALUE, which huma cannot read from a field. In the
// document it is an object, each of whose properties is a parameter of its own.
func metadataParam() *huma.Param {
	explode := true
	return &huma.Param{
		Name: "metadata", In: "query", Style: "form", Explode: &explode,
		Description: "Only tenants whose metadata has each of these pairs: metadata.region=eu&metadata.tier=1.",
		Schema: &huma.Schema{
			Type: huma.TypeObject, AdditionalProperties: &huma.Schema{Type: huma.TypeString, MaxLength: new(tenant.MaxMetadataValue)},
			Extensions: map[string]any{"propertyNames": map[string]any{"pattern": `^metadata\..{1,63}$`}, "maxProperties": tenant.MaxMetadataEntries},
		},
		Example: map[string]any{"metadata.region": "eu"},
	}
}

// Resolve reads the parameters metadata.KEY. Package validate has checked them.
func (in *listTenantsInput) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	for name, values := range u.Query() {
		if key, isMetadata := strings.CutPrefix(name, "metadata."); isMetadata {
			if in.metadata == nil {
				in.metadata = tenant.MetadataFilter{}
			}
			in.metadata[key] = values[0]
		}
	}
	return nil
}

// query converts the parameters.
func (in *listTenantsInput) query(ctx context.Context) (tenant.ListQuery, error) {
	q := tenant.ListQuery{
		Status: tenant.Status(in.Status), Text: in.Q, Blueprint: in.Blueprint, Invitation: invitation.Status(in.Invitation),
		Metadata: in.metadata, ManagedBy: in.ManagedBy, Limit: in.Limit, Visible: tenant.Visible(ctx),
	}
	if in.Held != "" {
		q.Held = new(in.Held == "true")
	}
	if in.Suspended != "" {
		q.Suspended = new(in.Suspended == "true")
	}
	if in.Behind != "" {
		q.Behind = new(in.Behind == "true")
	}
	var faults []problem.FieldError
	for name, parameter := range map[string]struct {
		text string
		at   *time.Time
	}{"createdAfter": {in.After, &q.CreatedAfter}, "createdBefore": {in.Before, &q.CreatedBefore}} {
		if parameter.text == "" {
			continue
		}
		var err error
		if *parameter.at, err = time.Parse(time.RFC3339, parameter.text); err != nil {
			faults = append(faults, problem.FieldError{Field: name, Message: "is no time; give it as 2026-01-31T00:00:00Z"})
		}
	}
	if faults != nil {
		return q, problem.Invalid(faults...)
	}
	return q, nil
}

// errInvalidCursor is the problem for a cursor that does not belong to the list.
var errInvalidCursor = problem.Invalid(problem.FieldError{Field: "cursor", Message: "does not belong to this list; give nextCursor of the previous page, with the same filters"})

// listed converts a tenant to the requested view.
func (in *listTenantsInput) listed(t tenant.Tenant) listedTenant {
	if in.View == "full" {
		return listedTenant{dto.NewTenant(t).WithoutOutputs()}
	}
	return listedTenant{dto.NewTenantSummary(t)}
}

// listedTenant is a dto.TenantSummary or a dto.Tenant.
type listedTenant struct{ view any }

// MarshalJSON writes the tenant in its view.
func (l listedTenant) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	err := validate.JSON.Marshal(&text, l.view)
	return text.Bytes(), err
}

// Schema returns the two possible views to huma.
func (listedTenant) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{openapi.SchemaRef[dto.TenantSummary](r), openapi.SchemaRef[dto.Tenant](r)}}
}

func (s *Server) listTenants(ctx context.Context, in *listTenantsInput) (*bodyOutput[tenantPage], error) {
	q, err := in.query(ctx)
	if err != nil {
		return nil, err
	}
	key := dto.TenantList(q, in.Name, in.ExternalID)
	if in.Cursor != "" {
		after, ok := dto.OpenTenantCursor(key, in.Cursor)
		if !ok {
			return nil, errInvalidCursor
		}
		q.After = &after
	}
	if in.Name != "" || in.ExternalID != "" {
		return s.findTenant(ctx, in, q)
	}
	page, err := s.opts.Service.List(ctx, q)
	if err != nil {
		return nil, err
	}
	out := tenantPage{Total: page.Total, Tenants: make([]listedTenant, len(page.Tenants))}
	for i, t := range page.Tenants {
		out.Tenants[i] = in.listed(t)
	}
	if page.Next != nil {
		out.NextCursor = dto.TenantCursor(key, *page.Next)
	}
	return newBodyOutput(out), nil
}

// findTenant returns a list with the tenant that a name or an external id identifies, if it
// passes the other filters.
func (s *Server) findTenant(ctx context.Context, in *listTenantsInput, q tenant.ListQuery) (*bodyOutput[tenantPage], error) {
	var (
		t   tenant.Tenant
		err error
	)
	if in.ExternalID != "" {
		t, err = s.opts.Service.FindByExternalID(ctx, in.ExternalID)
	} else {
		t, err = s.opts.Service.FindByName(ctx, in.Name)
	}
	if err == nil && q.Behind != nil { // What new tenants get is in the registry.
		q.ID, q.After = t.ID, nil
		var page tenant.Page
		if page, err = s.opts.Service.List(ctx, q); err == nil && len(page.Tenants) == 0 {
			err = errUnknownTenant(t.ID)
		}
	}
	empty := newBodyOutput(tenantPage{Tenants: []listedTenant{}})
	switch {
	case errs.KindOf(err) == errs.KindNotFound:
		return empty, nil
	case err != nil:
		return nil, err
	case !q.Matches(t), in.Q != "" && !matchesText(t, in.Q),
		in.Name != "" && tenant.NameKey(in.Name) != tenant.NameKey(t.Name):
		return empty, nil
	}
	return newBodyOutput(tenantPage{Total: 1, Tenants: []listedTenant{in.listed(t)}}), nil
}

func matchesText(t tenant.Tenant, q string) bool {
	return strings.Contains(tenant.NameKey(t.Name), tenant.NameKey(q)) ||
		strings.Contains(strings.ToLower(t.AdminEmail), strings.ToLower(strings.TrimSpace(q)))
}
