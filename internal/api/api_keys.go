package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/validate"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// APIKeys makes, lists and revokes API keys, and records that in the registry chain.
// apikeys.Store is one.
type APIKeys interface {
	// Create returns KindConflict for the name of a key that is not revoked.
	Create(ctx context.Context, k access.Key) error
	// List returns all keys, newest first.
	List(ctx context.Context) ([]access.Key, error)
	// RevokeByID returns KindNotFound for an unknown key and, with keepAdmin, KindConflict for the
	// last one with which everything can be done. Repeating it changes nothing.
	RevokeByID(ctx context.Context, id uuid.UUID, keepAdmin bool) (access.Key, error)
}

const (
	apiKeysPath = "/admin/api-keys" //nolint:gosec // a path

	apiKeysRemedy = "send the request to a server with a worker, whose user may make and revoke keys, or use tenant-api apikey"
	noAPIKeys     = "a store of API keys" //nolint:gosec // a text
)

// registerAPIKeyRoutes registers the operations on API keys.
func (s *Server) registerAPIKeyRoutes() {
	registerEndpoint(s, &endpoint{
		id: "list-api-keys", method: http.MethodGet, path: apiKeysPath, tag: "keys",
		summary: "List API keys", description: "All keys, also revoked and expired ones, newest first, without their secrets.", scope: access.ScopeAdmin,
		errorStatuses: []int{http.StatusNotImplemented},
	}, s.listAPIKeys)
	registerEndpoint(s, &endpoint{
		id: "create-api-key", method: http.MethodPost, path: apiKeysPath, tag: "keys",
		summary: "Create an API key", description: "Only this response contains the key: the registry stores its SHA-256. Names are unique among keys that are not revoked. The registry's audit log has who made it.",
		scope: access.ScopeAdmin, mutating: true, workerRemedy: apiKeysRemedy, contentTypes: jsonOnly, body: openapi.SchemaRef[createKeyBody], example: map[string]any{"name": "dashboard", "scopes": []string{"tenants:read"}, "expiresIn": "720h"},
		status: http.StatusCreated, errorStatuses: []int{http.StatusConflict},
	}, s.createAPIKey)
	registerEndpoint(s, &endpoint{
		id: "revoke-api-key", method: http.MethodDelete, path: apiKeysPath + "/{keyId}", tag: "keys",
		summary: "Revoke an API key", description: "At once and permanently, also streams that are open. Repeating the request succeeds. The last usable key of scope admin for all tenants is kept (409), unless the server trusts an issuer of tokens.",
		scope: access.ScopeAdmin, mutating: true, workerRemedy: apiKeysRemedy, errorStatuses: []int{http.StatusConflict},
	}, s.revokeAPIKey)
}

type keyPage struct {
	Keys []dto.Key `json:"keys" nullable:"false" doc:"Newest first."`
}

func (s *Server) listAPIKeys(ctx context.Context, _ *struct{}) (*bodyOutput[keyPage], error) {
	if s.opts.APIKeys == nil {
		return nil, notConfigured(noAPIKeys)
	}
	all, err := s.opts.APIKeys.List(ctx)
	if err != nil {
		return nil, err
	}
	page := keyPage{Keys: make([]dto.Key, len(all))}
	for i, k := range all {
		page.Keys[i] = dto.NewKey(k, s.opts.Clock.Now())
	}
	return newBodyOutput(page), nil
}

type createKeyBody struct {
	Name            string            `json:"name" minLength:"1" maxLength:"100" doc:"Its name in logs and audit events." example:"dashboard"`
	Scopes          []string          `json:"scopes" minItems:"1" maxItems:"16" nullable:"false" enum:"tenants:read,tenants:write,tenants:purge,tenants:hold,tenants:credentials,blueprints:write,admin" doc:"What the key may do."`
	ExpiresIn       *string           `json:"expiresIn,omitempty" minLength:"2" maxLength:"32" doc:"How long it is valid, in hours, minutes and seconds. Default: until it is revoked." example:"720h"`
	RateLimit       int64             `json:"rateLimit,omitempty" minimum:"1" maximum:"1000000" doc:"Requests per minute. Default: the server's."`
	OnlyMetadata    map[string]string `json:"onlyMetadata,omitempty" doc:"The key is only for tenants whose metadata has all these pairs. Default: for all tenants."`
	validate.Errors `json:"-"`
}

// maxScopes is how many scopes a body may name; there are fewer.
const maxScopes = 16

// FieldReaders implements the interface of package validate.
func (b *createKeyBody) FieldReaders() map[string]validate.FieldReader {
	return map[string]validate.FieldReader{
		"name": validate.String(&b.Name), "scopes": validate.Strings(&b.Scopes, 1, maxScopes), "expiresIn": validate.OptionalString(&b.ExpiresIn),
		"rateLimit":    validate.Int(&b.RateLimit, 1, access.MaxRateLimit, "has to be a whole number of requests per minute; give 1 to 1000000"),
		"onlyMetadata": validate.StringMap(&b.OnlyMetadata),
	}
}

// newKey makes the key that a body describes. It checks all fields, so that one response reports
// all faults that it can find.
func (b *createKeyBody) newKey(now time.Time) (access.Key, string, error) {
	r := access.KeyRequest{Name: b.Name, RateLimit: int(b.RateLimit), OnlyMetadata: b.OnlyMetadata}
	for _, name := range b.Scopes {
		if scope := access.Scope(name); !slices.Contains(r.Scopes, scope) {
			r.Scopes = append(r.Scopes, scope)
		}
	}
	fieldErrs := b.Errors
	if b.ExpiresIn != nil {
		var err error
		if r.TTL, err = time.ParseDuration(*b.ExpiresIn); err != nil || r.TTL <= 0 {
			fieldErrs, r.TTL = fieldErrs.Check("expiresIn", errors.New("is no time that a key can be valid; give one such as 720h")), 0
		}
	}
	key, token, err := access.NewKey(r, now)
	for _, f := range errs.FieldsOf(err) {
		if f.Field == "scope" {
			f.Field = "scopes"
		}
		fieldErrs = fieldErrs.Merge([]problem.FieldError{{Field: f.Field, Message: f.Message}})
	}
	if err := fieldErrs.Problem(); err != nil {
		return access.Key{}, "", err
	}
	return key, token.Reveal(), err
}

type createKeyInput struct{ Body createKeyBody }

func (s *Server) createAPIKey(ctx context.Context, in *createKeyInput) (*bodyOutput[dto.CreatedKey], error) {
	if s.opts.APIKeys == nil {
		return nil, notConfigured(noAPIKeys)
	}
	now := s.opts.Clock.Now()
	key, token, err := in.Body.newKey(now)
	if err != nil {
		return nil, err
	}
	if err := s.opts.APIKeys.Create(ctx, key); err != nil {
		return nil, err
	}
	return newBodyOutput(dto.CreatedKey{Key: dto.NewKey(key, now), Token: token}), nil
}

// ByKey is the path parameter of operations on one API key.
type ByKey struct {
	keyID uuid.UUID

	KeyID string `path:"keyId" format:"uuid" doc:"The key's id." example:"0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b13"`
}

// parseIDs runs before the handler. KindNotFound for an invalid UUID.
func (b *ByKey) parseIDs() error {
	id, ok := parseID(b.KeyID)
	if !ok {
		return errs.Errorf(errs.KindNotFound, "read key id", "the API key does not exist; ids are UUIDs, and GET /admin/api-keys lists them")
	}
	b.keyID = id
	return nil
}

func (s *Server) revokeAPIKey(ctx context.Context, in *ByKey) (*bodyOutput[dto.Key], error) {
	if s.opts.APIKeys == nil {
		return nil, notConfigured(noAPIKeys)
	}
	key, err := s.opts.APIKeys.RevokeByID(ctx, in.keyID, s.opts.OIDC.Issuer == "")
	if err != nil {
		return nil, err
	}
	return newBodyOutput(dto.NewKey(key, s.opts.Clock.Now())), nil
}

// TransformSchema adds the rules to huma's schema.
func (*createKeyBody) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return openapi.AddMetadataRule(s, "onlyMetadata")
}
