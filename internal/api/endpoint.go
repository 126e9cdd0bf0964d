package api

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// endpoint is one call of the API: what it is, who may use it, and how it can end.
type endpoint struct {
	id, method, path     string
	tag                  string
	summary, description string
	scope                access.Scope // Empty: for everybody.
	changes              bool         // So its refusals are recorded.
	patience             time.Duration
	streaming            streaming
	media                []string                                      // Content types of the body; none: it has no body.
	status               int                                           // When all goes well. Default 200.
	refusals             []int                                         // Besides those that every call of its sort has.
	responses            func(huma.Registry) map[string]*huma.Response // Besides those that follow from types.
	body                 func(huma.Registry) *huma.Schema
	example              any
}

// streaming says whether a call answers with events.
type streaming int

const (
	never streaming = iota
	whenAsked
	always
)

// route registers a call with huma.
func route[I, O any](s *Server, e *endpoint, handler func(context.Context, *I) (*O, error)) {
	op := e.operation(s.api)
	op.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) { s.guard(e, ctx, next) }}
	huma.Register(s.api, op, handler)
}

// guard stands before every call. It looks at who asks first, and at what is
// asked only after that.
func (s *Server) guard(e *endpoint, ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	c := callOf(r.Context())
	c.endpoint = e
	c.streams = e.streaming == always || e.streaming == whenAsked && c.asksForEvents
	c.tenant, _ = parseID(r.PathValue("id"))
	if e.scope != "" {
		if p := s.admit(r, c); p != nil {
			s.refuse(c, p)
			return
		}
	}
	if p := malformed(r, ctx.Operation()); p != nil {
		s.refuse(c, p)
		return
	}
	body, p := s.readBody(c, r)
	if p != nil {
		s.refuse(c, p)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	work := provisioning.WithCaller(r.Context(), c.caller)
	if !c.streams {
		patience := max(e.patience, s.pace.work)
		var cancel context.CancelFunc
		work, cancel = context.WithTimeout(work, patience)
		defer cancel()
	}
	next(humago.NewContext(ctx.Operation(), r.WithContext(work), w))
}

// ByID is the parameter of every call about one tenant. huma reads embedded
// structs only when their names are exported.
type ByID struct {
	ID string `path:"id" format:"uuid" doc:"The tenant's id." example:"0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b11"`
}

// tenant is the id; one that is none is that of no tenant.
func (b ByID) tenant() (uuid.UUID, error) {
	id, ok := parseID(b.ID)
	if !ok {
		return uuid.Nil, provisioning.Errorf(provisioning.KindNotFound, "read tenant id", "there is no such tenant; ids are UUIDs, and GET /admin/tenants lists them")
	}
	return id, nil
}

// parseID takes the one form of a UUID that this API writes.
func parseID(text string) (uuid.UUID, bool) {
	if len(text) != 36 {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil
}

// plain is an answer with nothing but a body.
type plain[T any] struct{ Body T }

func ok[T any](body T) *plain[T] { return &plain[T]{body} }
