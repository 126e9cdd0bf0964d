package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/limits"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// requestContext is the state of one request.
type requestContext struct {
	id            string
	span          tracing.Span
	traceID       string // Empty: no traces.
	startedAt     time.Time
	response      *limits.ResponseWriter
	endpoint      *endpoint    // Nil: unknown route.
	caller        audit.Caller // Anonymous until authenticated.
	identity      auth.Identity
	authenticated bool      // The caller has a valid key or token.
	tenantID      uuid.UUID // From the path; zero if it is not a UUID.
	body          []byte
}

// callerKey names the caller in limits.
func (c *requestContext) callerKey() string { return string(c.caller.Kind) + " " + c.caller.ID }

type requestContextKey struct{}

// requestContextFrom returns the request of a handler's context.
func requestContextFrom(ctx context.Context) *requestContext {
	c, _ := ctx.Value(requestContextKey{}).(*requestContext)
	return c
}

func (s *Server) newRequestContext(w http.ResponseWriter, r *http.Request) (*requestContext, *http.Request) {
	c := &requestContext{id: requestID(r), startedAt: s.opts.Clock.Now()}
	c.response = limits.NewResponseWriter(w, r, s.timeouts.write)
	c.caller = audit.Caller{Kind: audit.CallerAnonymous, Address: s.opts.TrustedProxies.ClientAddress(r), RequestID: c.id}
	// Each operation has one content type. huma's parser of Accept panics on some values.
	r.Header.Set("Accept", "application/json")

	h := w.Header()
	h.Set("X-Request-Id", c.id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	ctx, span := startRequestSpan(r)
	c.span, c.traceID = span, tracing.TraceID(ctx)
	return c, r.WithContext(context.WithValue(ctx, requestContextKey{}, c))
}

// startRequestSpan begins the span of a request in the trace of its caller. Anyone can accept an invitation:
// such callers do not choose the trace. Checks of health, of which there are many, have none. The span has no
// path, which can have names of tenants, and no address.
func startRequestSpan(r *http.Request) (context.Context, tracing.Span) {
	start, path := tracing.Continue, r.URL.Path
	switch {
	case slices.Contains(healthPaths, path):
		return r.Context(), tracing.Span{}
	case strings.HasPrefix(path, invitationPath):
		start = tracing.StartLinked
	}
	return start(r.Context(), r.Header.Get(tracing.Header), tracing.Inbound, r.Method, tracing.Method(r.Method))
}

// endSpan ends the span of a request, with the route as its name.
func (c *requestContext) endSpan(r *http.Request, route string) {
	status := c.response.Status()
	c.span.SetName(strings.TrimSpace(r.Method + " " + route))
	c.span.Set(tracing.Route(route), tracing.StatusCode(status), tracing.RequestID(c.id), tracing.CallerKind(string(c.caller.Kind)))
	if c.tenantID != uuid.Nil {
		c.span.Set(tracing.TenantID(c.tenantID.String()))
	}
	if status >= http.StatusInternalServerError {
		c.span.Fail(http.StatusText(status))
		return
	}
	c.span.End(nil)
}

// maxRequestIDLength is the maximum length of a client-supplied request id.
const maxRequestIDLength = 64

// requestID returns the client's request id if it is safe for a log, else a new one.
func requestID(r *http.Request) string {
	header := r.Header.Get("X-Request-Id")
	invalid := strings.ContainsFunc(header, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' && c != '.'
	})
	if header != "" && len(header) <= maxRequestIDLength && !invalid {
		return header
	}
	return uuid.Must(uuid.NewV7()).String()
}
