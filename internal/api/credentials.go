package api

import (
	"context"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/validate"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

const credentialsRemedy = "send the request to a server with a worker, which opens, extends and ends logins"

const credentialsPath = tenantPath + "/database-credentials"

// registerCredentialRoutes registers the operations that open and end logins for a tenant's
// schema.
func (s *Server) registerCredentialRoutes() {
	registerEndpoint(s, &endpoint{
		id: "open-database-credentials", method: http.MethodPost, path: credentialsPath, tag: "credentials",
		summary:      "Open a login for a tenant's schema",
		description:  "Creates a PostgreSQL login that is a member of the tenant's role and expires. Only this response contains the password. Without a reason the answer is 400 if the server's CREDENTIAL_REASON is required.",
		workerRemedy: credentialsRemedy,
		scope:        access.ScopeCredentials, mutating: true, contentTypes: jsonOnly, body: openapi.SchemaRef[openCredentialBody], example: map[string]any{"ttlSeconds": 3600, "reason": "Ticket 4711: wrong address in an invoice"},
		status: http.StatusCreated, errorStatuses: []int{http.StatusConflict},
	}, s.openCredential)
	registerEndpoint(s, &endpoint{
		id: "list-database-credentials", method: http.MethodGet, path: credentialsPath, tag: "credentials",
		summary: "List the logins of a tenant", description: "The logins that have not ended, at most 500, newest first; with all=true the last 100 that were ever opened, by the audit log. Of a purged tenant only the times are left. No password is stored, so none is returned.",
		scope: access.ScopeRead,
	}, s.listCredentials)
	registerEndpoint(s, &endpoint{
		id: "renew-database-credentials", method: http.MethodPost, path: credentialsPath + "/{credentialId}/renew", tag: "credentials",
		summary: "Extend a login", description: "Counted from now. A login that has ended returns 404.",
		scope: access.ScopeCredentials, mutating: true, contentTypes: jsonOnly, body: openapi.SchemaRef[ttlBody], example: map[string]any{"ttlSeconds": 3600}, workerRemedy: credentialsRemedy,
	}, s.renewCredential)
	registerEndpoint(s, &endpoint{
		id: "close-database-credentials", method: http.MethodDelete, path: credentialsPath + "/{credentialId}", tag: "credentials",
		summary: "End a login", description: "Ends the login and its sessions immediately. Repeating the request succeeds.",
		scope: access.ScopeCredentials, mutating: true, timeout: rollbackTimeout, workerRemedy: credentialsRemedy,
	}, s.closeCredential)
}

type ttlBody struct {
	TTLSeconds      int64 `json:"ttlSeconds,omitempty" minimum:"60" maximum:"86400" default:"3600" doc:"Lifetime of the login."`
	validate.Errors `json:"-"`
}

// FieldReaders implements the interface of package validate.
func (b *ttlBody) FieldReaders() map[string]validate.FieldReader {
	return map[string]validate.FieldReader{"ttlSeconds": readTTL(&b.TTLSeconds)}
}

func readTTL(seconds *int64) validate.FieldReader {
	return validate.Int(seconds, 1, math.MaxInt32, "has to be a whole number of seconds; give one from 60 to 86400")
}

func (b *ttlBody) ttl() time.Duration { return time.Duration(b.TTLSeconds) * time.Second }

type openCredentialBody struct {
	TTLSeconds      int64   `json:"ttlSeconds,omitempty" minimum:"60" maximum:"86400" default:"3600" doc:"Lifetime of the login."`
	Reason          *string `json:"reason,omitempty" doc:"Why the login is opened, for the audit log. Needed if the server's CREDENTIAL_REASON is required." example:"Ticket 4711: wrong address in an invoice"`
	validate.Errors `json:"-"`
}

// FieldReaders implements the interface of package validate.
func (b *openCredentialBody) FieldReaders() map[string]validate.FieldReader {
	return map[string]validate.FieldReader{"ttlSeconds": readTTL(&b.TTLSeconds), "reason": validate.OptionalString(&b.Reason)}
}

// TransformSchema adds the rules to huma's schema.
func (*openCredentialBody) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return openapi.AddReasonRule(s)
}

// request converts the body. A reason that is given and empty is an error; without one it
// depends on the server's settings.
func (b *openCredentialBody) request() (credentials.Request, error) {
	r := credentials.Request{TTL: time.Duration(b.TTLSeconds) * time.Second}
	fieldErrs := b.Errors
	if b.Reason != nil {
		r.Reason = *b.Reason
		fieldErrs = fieldErrs.Check("reason", tenant.CheckReason(strings.TrimSpace(r.Reason)))
	}
	return r, fieldErrs.Problem()
}

type openCredentialInput struct {
	ByID
	Body openCredentialBody
}

// ByCredential is the parameter of every operation on one login.
type ByCredential struct {
	ByID
	credentialID uuid.UUID

	CredentialID string `path:"credentialId" format:"uuid" doc:"The login's id." example:"0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b12"`
}

func (b *ByCredential) parseIDs() error {
	id, ok := parseID(b.CredentialID)
	if !ok {
		return errs.Errorf(errs.KindNotFound, "read login id", "the login does not exist; ids are UUIDs")
	}
	b.credentialID = id
	return b.ByID.parseIDs()
}

func (s *Server) openCredential(ctx context.Context, in *openCredentialInput) (*bodyOutput[dto.Credential], error) {
	r, err := in.Body.request()
	if err != nil {
		return nil, err
	}
	c, err := s.opts.Service.OpenCredential(ctx, in.tenantID, r)
	if err != nil {
		return nil, err
	}
	return newBodyOutput(dto.NewCredential(c)), nil
}

type listCredentialsInput struct {
	ByID

	All string `query:"all" enum:"true,false" default:"false" doc:"true adds logins that have ended."`
}

func (s *Server) listCredentials(ctx context.Context, in *listCredentialsInput) (*bodyOutput[dto.LoginList], error) {
	if _, err := s.opts.Service.Get(ctx, in.tenantID); err != nil {
		return nil, err
	}
	found, err := s.opts.Service.ListLogins(ctx, in.tenantID, in.All == "true")
	if err != nil {
		return nil, err
	}
	return newBodyOutput(dto.NewLoginList(in.tenantID, found)), nil
}

type renewCredentialInput struct {
	ByCredential
	Body ttlBody
}

type renewedView struct {
	ID        uuid.UUID `json:"id" format:"uuid"`
	ExpiresAt time.Time `json:"expiresAt"`
}

func (s *Server) renewCredential(ctx context.Context, in *renewCredentialInput) (*bodyOutput[renewedView], error) {
	if err := in.Body.Problem(); err != nil {
		return nil, err
	}
	expiresAt, err := s.opts.Service.RenewCredential(ctx, in.tenantID, in.credentialID, in.Body.ttl())
	if err != nil {
		return nil, err
	}
	return newBodyOutput(renewedView{in.credentialID, expiresAt.UTC()}), nil
}

type closedView struct {
	Status  string `json:"status" enum:"closed"`
	Message string `json:"message"`
}

func (s *Server) closeCredential(ctx context.Context, in *ByCredential) (*bodyOutput[closedView], error) {
	if err := s.opts.Service.CloseCredential(ctx, in.tenantID, in.credentialID); err != nil {
		return nil, err
	}
	return newBodyOutput(closedView{"closed", "Login " + in.credentialID.String() + " has been closed"}), nil
}
