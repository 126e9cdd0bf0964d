package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/limits"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/validate"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// endpoint is one operation of the API: its route, scope, body and responses.
type endpoint struct {
	id, method, path     string
	tag                  string
	summary, description string
	scope                access.Scope // Empty: public.
	invited              bool         // Public, for those who hold an invitation.
	mutating             bool         // Its rejections are audited.
	filtered             bool         // It answers a narrowed key with that key's tenants alone.
	timeout              time.Duration
	workerRemedy         string                                        // What to do instead where no worker runs, which refuses the operation; empty: it works.
	trial                bool                                          // It tries a blueprint: its body is a tar, and one runs at a time.
	streaming            bool                                          // The response is a stream of events, never JSON.
	contentTypes         []string                                      // Content types of the request body; empty: no body.
	status               int                                           // Success status. Default 200.
	errorStatuses        []int                                         // In addition to the common ones.
	responses            func(huma.Registry) map[string]*huma.Response // In addition to those from the types.
	parameters           []*huma.Param                                 // In addition to those from the types.
	body                 func(huma.Registry) *huma.Schema
	example              any
}

// registerEndpoint registers an operation with huma.
func registerEndpoint[I, O any](s *Server, e *endpoint, handler func(context.Context, *I) (*O, error)) {
	if e.invited {
		s.invitedPaths[e.path] = true
	}
	op := e.operation(s.api)
	op.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) { s.preHandle(e, ctx, next) }}
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		if named, ok := any(in).(interface{ parseIDs() error }); ok {
			if err := named.parseIDs(); err != nil {
				return nil, err
			}
		}
		return handler(ctx, in)
	})
}

// preHandle runs before every handler. It authorizes the caller first and validates the
// request after that.
func (s *Server) preHandle(e *endpoint, ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	c := requestContextFrom(r.Context())
	c.endpoint = e
	c.tenantID, _ = parseID(r.PathValue("id"))
	if p := s.checkCaller(r, e, c); p != nil {
		s.writeProblem(c, p)
		return
	}
	r = r.WithContext(c.startSpan(r.Context()))
	if p := s.refuseWithoutWorker(e); p != nil {
		s.writeProblem(c, p)
		return
	}
	if p := validate.Params(r, ctx.Operation()); p != nil {
		s.writeProblem(c, p)
		return
	}
	accepted := limits.Body{MaxBytes: s.opts.MaxBody, ContentTypes: e.contentTypes, Form: "JSON in UTF-8"}
	if e.trial {
		leave, p := s.takeTrial() // Before the body is read, which is large.
		if p != nil {
			s.writeProblem(c, p)
			return
		}
		defer leave()
		accepted.MaxBytes, accepted.Form = blueprint.MaxBytes, "a tar of the blueprint's folder"
		c.response.ExtendReadDeadline(trialReadTimeout)
	}
	body, p := limits.ReadBody(c.response, r, accepted)
	if p != nil {
		s.writeProblem(c, p)
		return
	}
	c.body = body
	r.Body = io.NopCloser(bytes.NewReader(body))
	workCtx := tenant.WithVisible(audit.WithCaller(s.opts.RequestContext(r.Context()), c.caller), c.identity.OnlyMetadata)
	if e.streaming {
		var stop func()
		workCtx, stop = s.watchStream(workCtx, c)
		defer stop()
	} else {
		timeout := max(e.timeout, s.timeouts.work)
		var cancel context.CancelFunc
		workCtx, cancel = context.WithTimeout(workCtx, timeout)
		defer cancel()
	}
	next(humago.NewContext(ctx.Operation(), r.WithContext(workCtx), w))
}

// checkCaller refuses a caller that may not call an endpoint.
func (s *Server) checkCaller(r *http.Request, e *endpoint, c *requestContext) *problem.Problem {
	if e.scope != "" {
		// Limited for streams, too: the registry may not answer.
		ctx, cancel := context.WithTimeout(r.Context(), s.timeouts.work)
		defer cancel()
		if p := s.authorize(r.WithContext(ctx), c); p != nil {
			return p
		}
		return s.narrow(ctx, e, c)
	}
	if e.invited {
		return s.limitInvited(c)
	}
	return nil
}

// ByID is the path parameter of operations on one tenant. It is exported because huma reads
// only exported embedded structs.
type ByID struct {
	tenantID uuid.UUID

	ID string `path:"id" format:"uuid" doc:"The tenant's id." example:"0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b11"`
}

// parseIDs runs before the handler. KindNotFound for an invalid UUID.
func (b *ByID) parseIDs() error {
	id, ok := parseID(b.ID)
	if !ok {
		return errs.Errorf(errs.KindNotFound, "read tenant id", "the tenant does not exist; ids are UUIDs, and GET /admin/tenants lists them")
	}
	b.tenantID = id
	return nil
}

// parseID accepts only the form of a UUID that this API writes.
func parseID(text string) (uuid.UUID, bool) {
	if len(text) != 36 {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil && id != uuid.Nil // The registry has that id: of its audit chain, for one.
}

// bodyOutput is a response with only a body.
type bodyOutput[T any] struct{ Body T }

func newBodyOutput[T any](body T) *bodyOutput[T] { return &bodyOutput[T]{body} }
