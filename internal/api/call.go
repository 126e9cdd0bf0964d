package api

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// call is one request on its way through the server.
type call struct {
	id       string
	begun    time.Time
	out      *answer
	endpoint *endpoint           // Nil: there is no such call.
	caller   provisioning.Caller // Anonymous until admitted.
	known    bool                // The caller was admitted.
	tenant   uuid.UUID           // The one that the path names, if that is an id.

	asksForEvents bool // In its Accept header.
	streams       bool // It gets events, and not a document.
}

type callKey struct{}

// callOf is the call that a context belongs to. Every context of this package's
// handlers does.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

func (s *Server) begin(w http.ResponseWriter, r *http.Request) (*call, *http.Request) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	c := &call{id: requestID(r), begun: s.opts.Clock.Now()}
	c.out = newAnswer(w, s.pace.write)
	c.caller = provisioning.Caller{Kind: provisioning.CallerAnonymous, Address: host, RequestID: c.id}
	c.asksForEvents = wantsEvents(r.Header.Values("Accept"))
	// huma's own reading of Accept can be made to panic, and there is one format.
	r.Header.Set("Accept", "application/json")

	h := w.Header()
	h.Set("X-Request-Id", c.id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	return c, r.WithContext(context.WithValue(r.Context(), callKey{}, c))
}

// maxRequestID is the longest name that a caller can give a request.
const maxRequestID = 64

// requestID is the caller's own name for the request, if it can stand in a log.
func requestID(r *http.Request) string {
	given := r.Header.Get("X-Request-Id")
	odd := strings.ContainsFunc(given, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' && c != '.'
	})
	if given != "" && len(given) <= maxRequestID && !odd {
		return given
	}
	return uuid.Must(uuid.NewV7()).String()
}

// wantsEvents reports whether a caller asks for a stream of events. Whoever
// accepts everything gets a document.
func wantsEvents(accept []string) bool {
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			media, parameters, _ := strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(media), eventStream) && !weighsNothing(parameters) {
				return true
			}
		}
	}
	return false
}

// weighsNothing reports whether the parameters of a media type refuse it: q=0.
func weighsNothing(parameters string) bool {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return err == nil && q <= 0
		}
	}
	return false
}
