package auth

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
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

	key       access.Key // Zero for a token of the issuer.
	expiresAt time.Time  // Zero: never.
}

// Authenticator identifies the bearer of a token: the owner of an API key or the subject of
// an issuer's token.
type Authenticator struct {
	keys     KeyStore
	issuer   *issuer // Nil: only API keys are accepted.
	snapshot *access.Snapshot
	watcher  *watcher
	clock    clock.Clock
	logger   *slog.Logger
}

// New returns an Authenticator. It queries neither the store nor the issuer yet.
func New(keys KeyStore, o OIDC, clock clock.Clock, logger *slog.Logger) *Authenticator {
	a := &Authenticator{
		keys: keys, snapshot: access.NewSnapshot(keys, clock), clock: clock, logger: logger,
		watcher: &watcher{keys: keys, clock: clock, logger: logger, watched: map[*watched]struct{}{}},
	}
	if o.Issuer != "" {
		a.issuer = newIssuer(o, clock)
	}
	return a
}

// AuthenticateAfterRejections is Authenticate for an address that has used up its limit of
// rejections. It compares a key's token first with a snapshot of all keys, which is read at
// most once per access.SnapshotAge, and queries only a match. A flood of random tokens
// therefore costs one statement in that time, and a valid key from the same address (NAT,
// proxy) still works.
func (a *Authenticator) AuthenticateAfterRejections(ctx context.Context, token string) (Identity, error) {
	if a.isAPIKey(token) {
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
