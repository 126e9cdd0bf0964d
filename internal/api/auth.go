package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// identity is an authenticated caller.
type identity struct {
	caller audit.Caller
	scopes []access.Scope
	key    access.Key // Zero for a token of the issuer.
}

// authorize authenticates the caller and checks its scope and rate limit. A rejection is
// recorded in the audit log while the address is within its limit of rejections.
func (s *Server) authorize(r *http.Request, c *requestContext) *Problem {
	id, err := s.identifyFrom(r.Context(), c.caller.Address, bearerToken(r.Header))
	var authErr *access.AuthError
	switch {
	case errors.As(err, &authErr):
		return s.rejectUnauthenticated(c, authErr)
	case err != nil:
		return problemFrom(err)
	}
	id.caller.Address, id.caller.RequestID = c.caller.Address, c.id
	c.caller, c.authenticated = id.caller, true

	decision := s.callerLimiter.take(string(id.caller.Kind) + " " + id.caller.ID)
	decision.setHeaders(c.response.Header())
	if !decision.allowed {
		return decision.problem("too many requests with this key; wait as long as Retry-After says")
	}
	if !access.Permits(id.scopes, c.endpoint.scope) {
		return newProblem(http.StatusForbidden, "this call needs the scope "+string(c.endpoint.scope)+", which the key does not have").
			withHeader("WWW-Authenticate", `Bearer realm="tenant-api", error="insufficient_scope", scope="`+string(c.endpoint.scope)+`"`)
	}
	s.recordKeyUse(r.Context(), id.key)
	return nil
}

// identifyFrom authenticates a token and limits the database load of rejections. Missing and
// malformed tokens cost no query. A well-formed token is queried until its address has used
// up its limit of rejections. After that, it is first compared with a snapshot of all keys,
// which is read at most once per access.SnapshotAge, and only a match is queried. So a flood
// of random tokens costs one statement in that time, and a valid key behind the same address
// (NAT, proxy) still works.
func (s *Server) identifyFrom(ctx context.Context, address, token string) (identity, error) {
	if s.isAPIKey(token) && s.authFailureLimiter.exhausted(addressPrefix(address)) {
		if _, err := access.Verify(ctx, s.snapshot, token, s.opts.Clock.Now()); err != nil {
			return identity{}, err
		}
	}
	return s.authenticate(ctx, token)
}

// isAPIKey reports whether a token is checked as an API key, and not as a token of the
// issuer.
func (s *Server) isAPIKey(token string) bool {
	return s.issuer == nil || token == "" || strings.HasPrefix(token, access.TokenPrefix)
}

func (s *Server) authenticate(ctx context.Context, token string) (identity, error) {
	if !s.isAPIKey(token) {
		return s.issuer.verify(ctx, token)
	}
	key, err := access.Verify(ctx, s.opts.Keys, token, s.opts.Clock.Now())
	if err != nil {
		return identity{}, err
	}
	return identity{
		caller: audit.Caller{Kind: audit.CallerAPIKey, ID: key.Prefix, Name: key.Name},
		scopes: key.Scopes, key: key,
	}, nil
}

// bearerToken returns the token of a request. A header with another scheme is returned
// unchanged and matches no key.
func bearerToken(h http.Header) string {
	header := strings.Join(h.Values("Authorization"), ", ")
	scheme, token, _ := strings.Cut(header, " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.Trim(token, " ")
	}
	return header
}

// rejectUnauthenticated returns the problem for an unauthenticated caller: 429 after too many
// of them from one address. Valid keys are still accepted from that address.
func (s *Server) rejectUnauthenticated(c *requestContext, authErr *access.AuthError) *Problem {
	if decision := s.authFailureLimiter.take(addressPrefix(c.caller.Address)); !decision.allowed {
		return decision.problem("too many requests from this address came without a valid key; wait as long as Retry-After says")
	}
	challenge := `Bearer realm="tenant-api"`
	if authErr.Reason != access.MissingToken().Reason {
		challenge += `, error="invalid_token"`
	}
	p := newProblem(http.StatusUnauthorized, authErr.Detail).withHeader("WWW-Authenticate", challenge)
	p.auditDetail = map[string]any{"reason": authErr.Reason}
	if authErr.Prefix != "" {
		p.auditDetail["prefix"] = authErr.Prefix
	}
	return p
}

// addressPrefix is the key of a limit: an IPv4 address, or the /64 of an IPv6 address,
// because one client usually has a whole /64.
func addressPrefix(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	prefix, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

// recordKeyUse records the use of a key. A failure is only logged; the request continues.
func (s *Server) recordKeyUse(ctx context.Context, key access.Key) {
	if key.ID == uuid.Nil || s.opts.Clock.Now().Sub(key.LastUsedAt) < time.Minute {
		return
	}
	if err := s.opts.Keys.RecordUse(ctx, key.ID); err != nil && ctx.Err() == nil {
		s.opts.Logger.Warn("last use of the API key not recorded", slog.String("prefix", key.Prefix), slog.Any("error", err))
	}
}
