package api

import (
	"context"
	"net/http"
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
	method        string
	traceparent   string // The client's, which only an authenticated caller may choose.
	span          tracing.Span
	traceID       string // Empty: no trace yet, or none at all.
	startedAt     time.Time
	response      *limits.ResponseWriter
	endpoint      *endpoint       // Nil: unknown route.
	console       bool            // It is a page of the console,
	consoleRoute  string          // with this route; empty: none.
	page          *requestContext // The page of the console that makes the request; nil: none does.
	caller        audit.Caller    // Anonymous until authenticated.
	identity      auth.Identity
	authenticated bool      // The caller has a valid key or token.
	tenantID      uuid.UUID // From the path; zero if it is not a UUID.
	body          []byte
}

// placeKey names the caller in limits of what is held for long: all sessions of a person share them with the key.
func (c *requestContext) placeKey() string { return string(c.caller.Kind) + " " + c.caller.ID }

// callerKey names the caller in limits.
func (c *requestContext) callerKey() string { return c.identity.LimitKey() }

type requestContextKey struct{}

// requestContextFrom returns the request of a handler's context.
func requestContextFrom(ctx context.Context) *requestContext {
	c, _ := ctx.Value(requestContextKey{}).(*requestContext)
	return c
}

func (s *Server) newRequestContext(w http.ResponseWriter, r *http.Request) (*requestContext, *http.Request) {
	c := &requestContext{id: requestID(r), startedAt: s.opts.Clock.Now(), method: r.Method, traceparent: r.Header.Get(tracing.Header)}
	if fromConsole(r.Context()) {
		c.page = requestContextFrom(r.Context())
	}
	c.response = limits.NewResponseWriter(w, r, s.timeouts.write)
	c.caller = audit.Caller{Kind: audit.CallerAnonymous, Address: s.opts.TrustedProxies.ClientAddress(r), RequestID: c.id}
	// Each operation has one content type. huma's parser of Accept panics on some values.
	r.Header.Set("Accept", "application/json")

	h := w.Header()
	h.Set("X-Request-Id", c.id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	return c, r.WithContext(context.WithValue(r.Context(), requestContextKey{}, c))
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
