package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/rs/cors"
)

// preflightMaxAge is how long a browser remembers that an origin may call: short enough that an
// origin that was removed is soon asked again, long enough for one visit of a page.
const preflightMaxAge = 10 * time.Minute

// newCrossOrigin returns what lets pages of these origins call the operations for invitations from
// a browser, nil without origins. Operations that need a key are never open to pages: a key in a
// browser is everybody's, and no scope is for one tenant alone.
func newCrossOrigin(origins []string) *cors.Cors {
	if len(origins) == 0 {
		return nil
	}
	return cors.New(cors.Options{
		// Compares whole origins. In AllowedOrigins an asterisk would be a pattern.
		AllowOriginFunc: func(origin string) bool { return slices.Contains(origins, origin) },
		AllowedMethods:  []string{http.MethodPost},
		AllowedHeaders:  []string{"Content-Type"},
		ExposedHeaders:  []string{"Retry-After", "X-Request-Id"},
		MaxAge:          int(preflightMaxAge.Seconds()),
	})
}

// handleCrossOrigin sets the headers with which a browser shows the response to a page of another
// origin. It runs before limits and routes, so that a page can read errors as well. It answers a
// preflight itself, without a slot, a limit or the database, and reports true.
func (s *Server) handleCrossOrigin(c *requestContext, r *http.Request) (answered bool) {
	if s.crossOrigin == nil || !s.invitedPaths[r.URL.Path] {
		return false
	}
	s.crossOrigin.HandlerFunc(c.response, r)
	return c.response.Status() != 0
}
