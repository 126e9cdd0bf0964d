package openapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/validate"
)

// Marshal returns the document as JSON. The output is deterministic.
func Marshal(api huma.API, indent string) ([]byte, error) {
	full, err := json.Marshal(api.OpenAPI())
	if err != nil {
		return nil, err
	}
	var document any
	decoder := json.NewDecoder(bytes.NewReader(full))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		return nil, err
	}
	removeOwnKeywords(document)
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	err = encoder.Encode(document)
	return text.Bytes(), err
}

// removeOwnKeywords removes what huma has for its messages from the schemas of parameters: OpenAPI
// does not know the keyword.
func removeOwnKeywords(node any) {
	switch n := node.(type) {
	case map[string]any:
		if _, isSchema := n["pattern"].(string); isSchema {
			delete(n, "patternDescription")
		}
		for _, child := range n {
			removeOwnKeywords(child)
		}
	case []any:
		for _, child := range n {
			removeOwnKeywords(child)
		}
	}
}

// Serve builds the document on the first request: most servers never serve it.
func Serve(api huma.API) http.HandlerFunc {
	document := sync.OnceValue(func() []byte {
		text, err := Marshal(api, "")
		if err != nil { // Every test would fail on types that cannot be marshaled.
			panic(err)
		}
		return bytes.TrimSpace(text)
	})
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document())
	}
}

const apiDescription = `Provisions healthcare tenants: each one gets its own PostgreSQL schema and role, a contract on the Stellar network and an administrator who is invited by e-mail.

Every operation under ` + "`/admin` and `/jobs`" + ` needs a key, sent as ` + "`Authorization: Bearer hck_...`" + `; ` + "`tenant-api apikey create`" + ` makes one. A key can be narrowed to tenants with some metadata (` + "`--only-metadata`" + `): others are unknown to it, and operations that are not about tenants are refused. Errors are problem documents (RFC 9457). Bodies are JSON in UTF-8, with no unknown, repeated or missing fields. Times are RFC 3339, UTC.

A provisioning has seven steps. ` + "`POST /admin/tenants`" + ` queues it and answers immediately; follow it with ` + "`GET /admin/tenants/{id}/events`" + `. ` + "`POST /admin/tenants/provision`" + ` runs it inside the request instead, as long as the connection is open.`

// Config describes the API as a whole to huma.
func Config(version string, transform huma.Transformer) huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", schemaName)
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "tenant-api", Version: version, Description: apiDescription,
				License: &huma.License{Name: "Mozilla Public License 2.0", Identifier: "MPL-2.0"},
			},
			Servers: []*huma.Server{{URL: "/"}},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{"bearer": {
					Type: "http", Scheme: "bearer", BearerFormat: "API key",
					Description: "An API key (hck_...) or, where the server trusts an OpenID Connect issuer, a JWT of it whose scope or scp claim names the scopes.",
				}},
			},
			Tags: []*huma.Tag{
				{Name: "tenants", Description: "Tenants and their provisioning."},
				{Name: "credentials", Description: "Database logins for one tenant's schema, for a limited time."},
				{Name: "blueprints", Description: "What tenants are made from."},
				{Name: "invitations", Description: "For the page of an invitation; without a key. They alone may be called from a browser by pages of other origins, those in the server's CORS_ORIGINS."},
				{Name: "jobs", Description: "Queued work."},
				{Name: "registry", Description: "The registry itself: which one it is, and what has happened."},
				{Name: "keys", Description: "API keys: who may call the API, and for what."},
				{Name: "health", Description: "Health of the server."},
			},
		},
		Formats:       map[string]huma.Format{"application/json": validate.JSON, "application/problem+json": validate.JSON},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{transform},
	}
}

// schemaName returns a type's name without its Go suffix.
func schemaName(t reflect.Type, hint string) string {
	name := strings.TrimSuffix(strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "View"), "Body")
	if slices.Contains([]string{"Create", "Patch", "Purge", "Activate"}, name) {
		return name + "Request"
	}
	return name
}

// SchemaRef returns a reference to the schema of T.
func SchemaRef[T any](r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// ProblemResponse describes the problem of a status.
func ProblemResponse(api huma.API, status int) *huma.Response {
	r := &huma.Response{
		Description: statusDescriptions[status],
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: SchemaRef[problem.Problem](api.OpenAPI().Components.Schemas)}},
		Headers:     map[string]*huma.Param{},
	}
	stringSchema := &huma.Schema{Type: huma.TypeString}
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		r.Headers["Retry-After"] = &huma.Param{Description: "Seconds to wait.", Schema: &huma.Schema{Type: huma.TypeInteger}}
	case http.StatusUnauthorized, http.StatusForbidden:
		r.Headers["WWW-Authenticate"] = &huma.Param{Description: "The accepted scheme and scope.", Schema: stringSchema}
	}
	return r
}

var statusDescriptions = map[int]string{
	http.StatusBadRequest:            "The request breaks a rule; errors has one entry per invalid field.",
	http.StatusUnauthorized:          "No key, or one that is unknown, expired or revoked.",
	http.StatusForbidden:             "The key does not have the required scope, or is narrowed to some tenants.",
	http.StatusNotFound:              "The tenant, job, login, blueprint or invitation does not exist, or the id is not a UUID.",
	http.StatusRequestTimeout:        "The body did not arrive in time.",
	http.StatusConflict:              "The status of the tenant or invitation, or another tenant, conflicts with the request; the detail lists the allowed operations.",
	http.StatusNotImplemented:        "The server runs without a worker, and this operation needs one; the detail says what to do.",
	http.StatusPreconditionFailed:    "The tenant's version differs from If-Match.",
	http.StatusRequestEntityTooLarge: "The body exceeds the size limit.",
	http.StatusUnsupportedMediaType:  "The operation takes no body of this Content-Type.",
	http.StatusUnprocessableEntity:   "The Idempotency-Key was used for a different request.",
	http.StatusTooManyRequests:       "Too many requests with this key, or without a key from this address.",
	http.StatusInternalServerError:   "An internal error; the server's log has the cause.",
	http.StatusServiceUnavailable:    "A dependency does not answer, or the server is busy; retry.",
}

// AllowNull lets a property with an object be null in each schema that has it. huma's tag nullable
// does not work for objects.
func AllowNull(api huma.API, property string) {
	for _, s := range api.OpenAPI().Components.Schemas.Map() {
		if object := s.Properties[property]; object != nil && object.Ref != "" {
			s.Properties[property] = &huma.Schema{Description: object.Description, AnyOf: []*huma.Schema{object, {Type: "null"}}}
		}
	}
}
