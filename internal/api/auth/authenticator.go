package auth

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/limits"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// KeyStore is the port for API keys; access.Store implements it.
type KeyStore interface {
	access.Finder
	access.Lister
	// RecordUse stores the time of use of a key.
	RecordUse(ctx context.Context, id uuid.UUID) error
	// FindRevoked returns those of the ids whose keys are revoked or do not exist.
	FindRevoked(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error)
}

// Identity is an authenticated caller.
type Identity struct {
	Caller    audit.Caller
	Scopes    []access.Scope
	RateLimit int // Requests per minute; 0: the server's.

	OnlyMetadata tenant.MetadataFilter // The only tenants that it is for; empty: all.

	Session bool // By a session of the console, for which the caller is who signed in.

	key       access.Key         // Zero for a token of the issuer.
	session   access.SessionHash // Zero without a session.
	expiresAt time.Time          // Zero: never, or by a session.
}

// LimitKey names the caller in limits. A session has limits of its own beside those of its key.
func (id Identity) LimitKey() string {
	if id.Session {
		return "session " + hex.EncodeToString(id.session[:])
	}
	return string(id.Caller.Kind) + " " + id.Caller.ID
}

// Options are the settings of an Authenticator. All but OIDC and Sessions are required.
type Options struct {
	Keys          KeyStore
	Sessions      SessionStore // Nil: there is no console, and no session is accepted.
	OIDC          OIDC
	MaxRejections int // Rejected callers per minute and address.
	Clock         clock.Clock
	Logger        *slog.Logger
}

// Authenticator identifies the bearer of a token: the owner of an API key, the subject of
// an issuer's token, or who signed in to the console.
type Authenticator struct {
	keys       KeyStore
	issuer     *issuer // Nil: only API keys are accepted.
	snapshot   *access.Snapshot
	sessions   *consoleSessions // Nil: no session is accepted.
	rejections *limits.RateLimiter
	watcher    *watcher
	clock      clock.Clock
	logger     *slog.Logger
}

// New returns an Authenticator. It queries neither the stores nor the issuer yet.
func New(o Options) *Authenticator {
	a := &Authenticator{
		keys: o.Keys, snapshot: access.NewSnapshot(o.Keys, o.Clock), sessions: newConsoleSessions(o), clock: o.Clock, logger: o.Logger,
		rejections: limits.NewRateLimiter(o.MaxRejections, o.Clock),
		watcher:    &watcher{keys: o.Keys, sessions: o.Sessions, clock: o.Clock, logger: o.Logger, watched: map[*watched]struct{}{}},
	}
	if o.OIDC.Issuer != "" {
		a.issuer = newIssuer(o.OIDC, o.Clock)
	}
	return a
}

// AuthenticateFrom is Authenticate for a caller at an address. It counts rejections: after too many
// from one address it returns a *problem.Problem for each, and costs the registry no more than
// AuthenticateAfterRejections does. Valid tokens are still accepted from that address.
func (a *Authenticator) AuthenticateFrom(ctx context.Context, address, token string) (Identity, error) {
	prefix, authenticate := limits.AddressPrefix(address), a.Authenticate
	if a.rejections.Exhausted(prefix) {
		authenticate = a.AuthenticateAfterRejections
	}
	id, err := authenticate(ctx, token)
	var authErr *access.AuthError
	if errors.As(err, &authErr) {
		return Identity{}, cmp.Or[error](a.CountRejection(address), authErr)
	}
	return id, err
}

// CountRejection counts a rejected caller at an address. It returns the problem for one too many,
// else nil.
func (a *Authenticator) CountRejection(address string) error {
	if decision := a.rejections.Take(limits.AddressPrefix(address)); !decision.Allowed {
		return decision.Problem("too many requests without a valid key came from this address; wait as long as Retry-After requires")
	}
	return nil
}

// AuthenticateAfterRejections is Authenticate for an address that has used up its limit of
// rejections. It compares a key's token first with a snapshot of all keys, which is read at
// most once per access.SnapshotAge, and queries only a match. A flood of random tokens
// therefore costs one statement in that time, and a valid key from the same address (NAT,
// proxy) still works. The same holds for sessions.
func (a *Authenticator) AuthenticateAfterRejections(ctx context.Context, token string) (Identity, error) {
	switch {
	case isSession(token):
		if a.acceptsSession(ctx) {
			if err := a.sessions.snapshot.Check(ctx, token); err != nil {
				return Identity{}, err
			}
		}
	case a.isAPIKey(token):
		if _, err := access.Verify(ctx, a.snapshot, token, a.clock.Now()); err != nil {
			return Identity{}, err
		}
	}
	return a.Authenticate(ctx, token)
}

// isAPIKey reports whether a token is checked as an API key and not as an issuer's token.
func (a *Authenticator) isAPIKey(token string) bool {
	return a.issuer == nil || token == "" || strings.HasPrefix(token, access.TokenPrefix)
}

// Authenticate returns an *access.AuthError for a token that is not accepted. Missing and
// malformed tokens cost no query.
func (a *Authenticator) Authenticate(ctx context.Context, token string) (Identity, error) {
	if isSession(token) {
		return a.authenticateSession(ctx, token)
	}
	if !a.isAPIKey(token) {
		return a.issuer.verify(ctx, token)
	}
	key, err := access.Verify(ctx, a.keys, token, a.clock.Now())
	if err != nil {
		return Identity{}, err
	}
	return Identity{
		Caller: audit.Caller{Kind: audit.CallerAPIKey, ID: key.Prefix, Name: key.Name},
		Scopes: key.Scopes, RateLimit: key.RateLimit, OnlyMetadata: key.OnlyMetadata, key: key, expiresAt: key.ExpiresAt,
	}, nil
}

// RecordUse records the use of a key. A failure is only logged; the request continues.
func (a *Authenticator) RecordUse(ctx context.Context, id Identity) {
	if id.key.ID == uuid.Nil || a.clock.Now().Sub(id.key.LastUsedAt) < time.Minute {
		return
	}
	if err := a.keys.RecordUse(ctx, id.key.ID); err != nil && ctx.Err() == nil {
		a.logger.Warn("last use of the API key was not recorded", slog.String("prefix", id.key.Prefix), slog.Any("error", err))
	}
}

// BearerToken returns the token of a request. A header with another scheme is returned
// unchanged and matches no key.
func BearerToken(h http.Header) string {
	header := strings.Join(h.Values("Authorization"), ", ")
	scheme, token, _ := strings.Cut(header, " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.Trim(token, " ")
	}
	return header
}

// OIDC configures the issuer whose tokens are accepted. Issuer requires Audience: without
// it, tokens for other services would be accepted.
type OIDC struct {
	Issuer   string
	Audience string
	Client   *http.Client // Fetches the issuer's keys. Default: one with a timeout.
}

// Validate returns KindInvalid for settings that are incomplete.
func (o OIDC) Validate() error {
	if (o.Issuer == "") != (o.Audience == "") {
		return errs.Errorf(errs.KindInvalid, "set up API", "OIDC has only an issuer or only an audience; give both or none")
	}
	return nil
}
