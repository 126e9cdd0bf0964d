package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
)

// consolePath is the root of the pages for people.
const consolePath = "/console"

// isConsole reports whether a request is for the console.
func (s *Server) isConsole(r *http.Request) bool {
	return s.console != nil && (r.URL.Path == consolePath || strings.HasPrefix(r.URL.Path, consolePath+"/"))
}

// inConsoleKey marks the context of requests that the console makes.
type inConsoleKey struct{}

// SetConsole lets a handler serve the pages for people, at /console. It is called before the first request.
func (s *Server) SetConsole(console http.Handler) { s.console = console }

// Stopping is closed when the server stops: streams have to end.
func (s *Server) Stopping() <-chan struct{} { return s.drainCtx.Done() }

// ForConsole is the API as the console calls it: in the process, with the session of the person
// who sent the console's own request. That has a slot and holds its connection already.
func (s *Server) ForConsole() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r.WithContext(context.WithValue(auth.InConsole(r.Context()), inConsoleKey{}, true)))
	})
}

// fromConsole reports whether the console makes a request.
func fromConsole(ctx context.Context) bool { return ctx.Value(inConsoleKey{}) != nil }

// serveConsole serves a page of the console. It takes no slot yet: AdmitConsole does, once the request is known to be
// complete and to need one.
func (s *Server) serveConsole(c *requestContext, r *http.Request) {
	r.Header.Set("X-Request-Id", c.id) // The calls of the API that the page makes have the same.
	c.console = true
	s.console.ServeHTTP(c.response, r)
	c.consoleRoute = r.Pattern
}

// AdmitConsole takes a slot for a request of the console and holds its connection until leave is called. A problem
// means that there is none. The form of the request has to be read before.
func (s *Server) AdmitConsole(r *http.Request) (leave func(), refused error) {
	leave, p := s.admit(r)
	if p != nil {
		return nil, p
	}
	return leave, nil
}
