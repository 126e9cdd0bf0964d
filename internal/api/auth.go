package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
)

// authorize authenticates the caller and checks its scope and rate limit. A rejection is
// recorded in the audit log while the address is within its limit of rejections.
func (s *Server) authorize(r *http.Request, c *requestContext) *problem.Problem {
	id, err := s.auth.AuthenticateFrom(r.Context(), c.caller.Address, auth.BearerToken(r.Header))
	var authErr *access.AuthError
	switch {
	case errors.As(err, &authErr):
		return unauthenticated(authErr)
	case err != nil:
		return problem.From(err)
	}
	id.Caller.Address, id.Caller.RequestID = c.caller.Address, c.id
	c.caller, c.identity, c.authenticated = id.Caller, id, true
	if c.page != nil {
		c.page.caller = id.Caller // For the log of the page.
	}

	decision := s.callerLimiter.TakeOf(c.callerKey(), id.RateLimit)
	decision.SetHeaders(c.response.Header())
	if !decision.Allowed {
		return decision.Problem("too many requests with this key; wait as long as Retry-After requires")
	}
	if !access.Permits(id.Scopes, c.endpoint.scope) {
		return problem.New(http.StatusForbidden, "this call needs the scope "+string(c.endpoint.scope)+", which the key does not have").
			WithHeader("WWW-Authenticate", `Bearer realm="tenant-api", error="insufficient_scope", scope="`+string(c.endpoint.scope)+`"`)
	}
	s.auth.RecordUse(r.Context(), id)
	return nil
}

// unauthenticated returns the problem for an unauthenticated caller.
func unauthenticated(authErr *access.AuthError) *problem.Problem {
	challenge := `Bearer realm="tenant-api"`
	if authErr.Reason != access.MissingToken().Reason {
		challenge += `, error="invalid_token"`
	}
	detail := map[string]any{"reason": authErr.Reason}
	if authErr.Prefix != "" {
		detail["prefix"] = authErr.Prefix
	}
	return problem.New(http.StatusUnauthorized, authErr.Detail).WithHeader("WWW-Authenticate", challenge).WithAudit(detail)
}

// revokedWriteTimeout is the time to end a stream whose key was revoked or has expired: its client
// is told why, also by a server that is busy.
const revokedWriteTimeout = 2 * time.Second

// watchStream returns the context of a stream. It ends when the caller's key is revoked or
// expires, or its token expires; then a write that waits for the client ends as well.
func (s *Server) watchStream(ctx context.Context, c *requestContext) (watched context.Context, stop func()) {
	watched, stopWatching := s.auth.Watch(ctx, c.identity)
	detach := context.AfterFunc(watched, func() {
		if revocation(watched) != nil {
			c.response.EndWrites(revokedWriteTimeout)
		}
	})
	return watched, func() { detach(); stopWatching() }
}

// revocation returns why the caller of a stream may not continue, nil if it may.
func revocation(watched context.Context) *access.AuthError {
	var authErr *access.AuthError
	_ = errors.As(context.Cause(watched), &authErr)
	return authErr
}
