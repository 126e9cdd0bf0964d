package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const contentTypeEventStream = "text/event-stream"

// OpenAPI returns the document of the API as indented JSON. The output is deterministic.
func OpenAPI(version string) ([]byte, error) {
	s := &Server{opts: Options{Version: version}.withDefaults()}
	s.buildRoutes()
	compact, err := s.marshalOpenAPI()
	if err != nil {
		return nil, err
	}
	var indented bytes.Buffer
	err = json.Indent(&indented, compact, "", "  ")
	return append(indented.Bytes(), '\n'), err
}

func (s *Server) marshalOpenAPI() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(s.api.OpenAPI())
	return bytes.TrimSpace(text.Bytes()), err
}

// serveOpenAPI builds the document on the first request: most servers never serve it.
func (s *Server) serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	s.openapiOnce.Do(func() {
		text, err := s.marshalOpenAPI()
		if err != nil { // Every test would fail on types that cannot be marshaled.
			panic(err)
		}
		s.openapi = text
	})
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.openapi)
}

const apiDescription = `Provisions healthcare tenants: each one gets its own PostgreSQL schema and role, a contract on the Stellar network and an administrator who is invited by e-mail.

Every operation under ` + "`/admin` and `/jobs`" + ` needs a key, sent as ` + "`Authorization: Bearer hck_...`" + `; ` + "`tenant-api apikey create`" + ` makes one. Errors are problem documents (RFC 9457). Bodies are JSON in UTF-8, with no unknown, repeated or missing fields. Times are RFC 3339, UTC.

A provisioning has seven steps. ` + "`POST /admin/tenants`" + ` queues it and answers immediately; follow it with ` + "`GET /admin/tenants/{id}/events`" + `. ` + "`POST /admin/tenants/provision`" + ` runs it inside the request instead, as long as the connection is open.`

func (s *Server) humaConfig() huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", schemaName)
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "tenant-api", Version: s.opts.Version, Description: apiDescription,
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
				{Name: "jobs", Description: "Queued work."},
				{Name: "health", Description: "Health of the server."},
			},
		},
		Formats:       map[string]huma.Format{"application/json": jsonFormat, "application/problem+json": jsonFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{s.transformResponse},
	}
}

// schemaName is a type's name without its Go suffix.
func schemaName(t reflect.Type, hint string) string {
	name := strings.TrimSuffix(strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "View"), "Body")
	if name == "Create" || name == "Patch" || name == "Purge" {
		return name + "Request"
	}
	return name
}

// commonErrorStatuses are the errors that every operation can return.
var commonErrorStatuses = []int{http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusInternalServerError}

// operation is the endpoint as huma and the OpenAPI document know it.
func (e *endpoint) operation(api huma.API) huma.Operation {
	op := huma.Operation{
		OperationID: e.id, Method: e.method, Path: e.path, Tags: []string{e.tag}, Summary: e.summary, Description: e.description,
		DefaultStatus: e.status, Responses: map[string]*huma.Response{},
		// This package validates both, with its own messages.
		SkipValidateParams: true, SkipValidateBody: true,
		// The body is already read. huma's default of five seconds would stay set on the
		// connection and cancel longer requests.
		BodyReadTimeout: -1,
	}
	errorStatuses := append(slices.Clone(commonErrorStatuses), e.errorStatuses...)
	if e.scope != "" {
		op.Security = []map[string][]string{{"bearer": {string(e.scope)}}}
		errorStatuses = append(errorStatuses, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	}
	if strings.Contains(e.path, "{") {
		errorStatuses = append(errorStatuses, http.StatusNotFound)
	}
	if len(e.contentTypes) > 0 {
		errorStatuses = append(errorStatuses, http.StatusUnsupportedMediaType)
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
		for _, contentType := range e.contentTypes {
			op.RequestBody.Content[contentType] = &huma.MediaType{Schema: e.body(api.OpenAPI().Components.Schemas), Example: e.example}
		}
	}
	for _, status := range errorStatuses {
		op.Responses[strconv.Itoa(status)] = problemResponse(api, status)
	}
	if e.responses != nil {
		maps.Copy(op.Responses, e.responses(api.OpenAPI().Components.Schemas))
	}
	return op
}

// schemaRef is a reference to the schema of T.
func schemaRef[T any](r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// problemResponse describes a problem of a status.
func problemResponse(api huma.API, status int) *huma.Response {
	r := &huma.Response{
		Description: statusDescriptions[status],
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schemaRef[Problem](api.OpenAPI().Components.Schemas)}},
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
	http.StatusForbidden:             "The key does not have the required scope.",
	http.StatusNotFound:              "There is no such tenant or job, or the id is not a UUID.",
	http.StatusRequestTimeout:        "The body did not arrive in time.",
	http.StatusConflict:              "The tenant's status, or another tenant, conflicts with the request; the detail lists the allowed operations.",
	http.StatusPreconditionFailed:    "The tenant's version differs from If-Match.",
	http.StatusRequestEntityTooLarge: "The body exceeds the size limit.",
	http.StatusUnsupportedMediaType:  "The Content-Type is not JSON in UTF-8.",
	http.StatusUnprocessableEntity:   "The Idempotency-Key was used for a different request.",
	http.StatusTooManyRequests:       "Too many requests with this key, or without a key from this address.",
	http.StatusInternalServerError:   "An internal error; the server's log has the cause.",
	http.StatusServiceUnavailable:    "A dependency does not answer, or the server is busy; retry.",
}
