package api

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

const credentialsPath = tenantPath + "/database-credentials"

// credentialRoutes are the calls that open and end logins for a tenant's schema.
func (s *Server) credentialRoutes() {
	example := map[string]any{"ttlSeconds": 3600}
	route(s, &endpoint{
		id: "open-database-credentials", method: http.MethodPost, path: credentialsPath, tag: "credentials",
		summary:     "Open a login for a tenant's schema",
		description: "Makes a PostgreSQL login that is a member of the tenant's role, and ends by itself. The password is in this answer and nowhere else.",
		scope:       access.ScopeCredentials, changes: true, media: jsonOnly, body: schemaOf[ttlBody], example: example,
		status: http.StatusCreated, refusals: []int{http.StatusConflict},
	}, s.openCredential)
	route(s, &endpoint{
		id: "renew-database-credentials", method: http.MethodPost, path: credentialsPath + "/{credentialId}/renew", tag: "credentials",
		summary: "Have a login last longer", description: "From now on. One that has ended is not found.",
		scope: access.ScopeCredentials, changes: true, media: jsonOnly, body: schemaOf[ttlBody], example: example,
	}, s.renewCredential)
	route(s, &endpoint{
		id: "close-database-credentials", method: http.MethodDelete, path: credentialsPath + "/{credentialId}", tag: "credentials",
		summary: "End a login", description: "At once, with its sessions. Repeating it is success.",
		scope: access.ScopeCredentials, changes: true, patience: rollbackPatience,
	}, s.closeCredential)
}

type ttlBody struct {
	TTLSeconds int64 `json:"ttlSeconds,omitempty" minimum:"60" maximum:"86400" default:"3600" doc:"How long the login is good for."`
	faults
}

func (b *ttlBody) readers() map[string]reader {
	return map[string]reader{"ttlSeconds": asSeconds(&b.TTLSeconds)}
}

// asSeconds reads a whole number that is more than nothing.
func asSeconds(into *int64) reader {
	return func(field string, raw json.RawMessage) []Fault {
		n, err := strconv.ParseFloat(string(raw), 64) // JSON has one sort of numbers, and 60.0 is whole.
		if err != nil || n < 1 || n > math.MaxInt32 || n != math.Trunc(n) {
			return []Fault{{field, "has to be a whole number of seconds; give one from 60 to 86400"}}
		}
		*into = int64(n)
		return nil
	}
}

func (b *ttlBody) ttl() time.Duration { return time.Duration(b.TTLSeconds) * time.Second }

type credentialInput struct {
	ByID
	Body ttlBody
}

// ByCredential is the parameter of every call about one login.
type ByCredential struct {
	ByID
	CredentialID string `path:"credentialId" format:"uuid" doc:"The login's id." example:"0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b12"`
}

func (b ByCredential) both() (tenant, credential uuid.UUID, err error) {
	if tenant, err = b.tenant(); err != nil {
		return tenant, credential, err
	}
	credential, ok := parseID(b.CredentialID)
	if !ok {
		err = provisioning.Errorf(provisioning.KindNotFound, "read login id", "there is no such login; ids are UUIDs")
	}
	return tenant, credential, err
}

type credentialView struct {
	ID         uuid.UUID `json:"id" format:"uuid"`
	TenantID   uuid.UUID `json:"tenantId" format:"uuid"`
	Username   string    `json:"username" example:"healthcare_login_x2l5q7c3m4n6p8r1t9v0w2y4z6"`
	Password   string    `json:"password" doc:"In this answer and nowhere else."`
	Host       string    `json:"host" doc:"As the server reaches the database; callers elsewhere may need another name."`
	Port       int       `json:"port" minimum:"1" maximum:"65535"`
	Database   string    `json:"database"`
	SchemaName string    `json:"schemaName" doc:"On the login's search_path."`
	ExpiresAt  time.Time `json:"expiresAt"`
}

type created[T any] struct {
	Status int
	Body   T
}

func (s *Server) openCredential(ctx context.Context, in *credentialInput) (*created[credentialView], error) {
	id, err := in.tenant()
	if err == nil {
		err = in.Body.problem()
	}
	if err != nil {
		return nil, err
	}
	c, err := s.opts.Service.OpenCredential(ctx, id, in.Body.ttl())
	if err != nil {
		return nil, err
	}
	return &created[credentialView]{http.StatusCreated, credentialView{
		ID: c.ID, TenantID: c.TenantID, Username: c.Username, Password: c.Password.Reveal(), Host: c.Host, Port: c.Port,
		Database: c.Database, SchemaName: c.SchemaName, ExpiresAt: c.ExpiresAt.UTC(),
	}}, nil
}

type renewInput struct {
	ByCredential
	Body ttlBody
}

type renewedView struct {
	ID        uuid.UUID `json:"id" format:"uuid"`
	ExpiresAt time.Time `json:"expiresAt"`
}

func (s *Server) renewCredential(ctx context.Context, in *renewInput) (*plain[renewedView], error) {
	tenant, id, err := in.both()
	if err == nil {
		err = in.Body.problem()
	}
	if err != nil {
		return nil, err
	}
	expires, err := s.opts.Service.RenewCredential(ctx, tenant, id, in.Body.ttl())
	if err != nil {
		return nil, err
	}
	return ok(renewedView{id, expires.UTC()}), nil
}

type closedView struct {
	Status  string `json:"status" enum:"closed"`
	Message string `json:"message"`
}

func (s *Server) closeCredential(ctx context.Context, in *ByCredential) (*plain[closedView], error) {
	tenant, id, err := in.both()
	if err != nil {
		return nil, err
	}
	if err := s.opts.Service.CloseCredential(ctx, tenant, id); err != nil {
		return nil, err
	}
	return ok(closedView{"closed", "Login " + id.String() + " has been closed"}), nil
}
