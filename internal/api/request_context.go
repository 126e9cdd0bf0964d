package api

import (
	"context"
	"net"
	"net/http"
	"strconv"
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

	acceptsEvents bool // In its Accept header.
	streamed      bool // It gets events, and not a document.
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
	c.acceptsEvents = acceptsEventStream(r.Header.Values("Accept"))
	// huma's own reading of Accept can be made to panic, and there is one format.
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

// acceptsEventStream reports whether a caller asks for a stream of events. Whoever
// accepts everything gets a document.
func acceptsEventStream(accept []string) bool {
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			mediaType, params, _ := strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(mediaType), contentTypeEventStream) && !isQZero(params) {
				return true
			}
		}
	}
	return false
}

// isQZero reports whether the parameters of a media type refuse it: q=0.
func isQZero(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return err == nil && q <= 0
		}
	}
	return false
}
