package api

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// requestContext is one request on its way through the server.
type requestContext struct {
	id            string
	startedAt     time.Time
	response      *responseWriter
	endpoint      *endpoint    // Nil: there is no such call.
	caller        audit.Caller // Anonymous until admitted.
	authenticated bool         // The caller was admitted.
	tenantID      uuid.UUID    // The one that the path names, if that is an id.
}

type requestContextKey struct{}

// requestContextFrom is the call that a context belongs to. Every context of this package's
// handlers does.
func requestContextFrom(ctx context.Context) *requestContext {
	c, _ := ctx.Value(requestContextKey{}).(*requestContext)
	return c
}

func (s *Server) newRequestContext(w http.ResponseWriter, r *http.Request) (*requestContext, *http.Request) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	c := &requestContext{id: requestID(r), startedAt: s.opts.Clock.Now()}
	c.response = newResponseWriter(w, s.timeouts.write)
	c.caller = audit.Caller{Kind: audit.CallerAnonymous, Address: host, RequestID: c.id}
	// Each operation has one content type. huma's parser of Accept panics on some values.
	r.Header.Set("Accept", "application/json")

	h := w.Header()
	h.Set("X-Request-Id", c.id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	return c, r.WithContext(context.WithValue(r.Context(), requestContextKey{}, c))
}

// maxRequestIDLength is the longest name that a caller can give a request.
const maxRequestIDLength = 64

// requestID is the caller's own name for the request, if it can stand in a log.
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
