package auth

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
)

// SessionStore is the port for sessions of the console; access.SessionStore implements it.
type SessionStore interface {
	access.SessionFinder
	access.SessionLister
	// FindEnded returns those of the sessions that cannot be used any more.
	FindEnded(ctx context.Context, hashes []access.SessionHash) ([]access.SessionHash, error)
}

type consoleKey struct{}

// InConsole returns the context of a request that the console makes in this process. Only in such a
// context is the token of a session accepted: a browser's cookie is no key of the API.
func InConsole(ctx context.Context) context.Context {
	return context.WithValue(ctx, consoleKey{}, true)
}

// consoleSessions are the sessions of the console, and a copy of which exist.
type consoleSessions struct {
	store    SessionStore
	snapshot *access.SessionSnapshot
}

func newConsoleSessions(o Options) *consoleSessions {
	if o.Sessions == nil {
		return nil
	}
	return &consoleSessions{o.Sessions, access.NewSessionSnapshot(o.Sessions, o.Clock)}
}

func isSession(token string) bool { return strings.HasPrefix(token, access.SessionPrefix) }

// acceptsSession reports whether a session's token is accepted in a context.
func (a *Authenticator) acceptsSession(ctx context.Context) bool {
	inConsole, _ := ctx.Value(consoleKey{}).(bool)
	return inConsole && a.sessions != nil
}

// authenticateSession returns the person who signed in, as if it had used the key or the token
// itself. Outside of the console, and for a malformed token, it costs no query.
func (a *Authenticator) authenticateSession(ctx context.Context, token string) (Identity, error) {
	if !a.acceptsSession(ctx) {
		return Identity{}, access.RefuseSession()
	}
	session, err := access.VerifySession(ctx, a.sessions.store, token)
	if err != nil {
		return Identity{}, err
	}
	return Identity{
		Caller: session.Caller(), Scopes: session.Scopes, RateLimit: access.SessionRateLimit, OnlyMetadata: session.OnlyMetadata, Session: true,
		key: access.Key{ID: session.KeyID, Prefix: session.CallerID, LastUsedAt: session.KeyUsedAt}, session: session.Hash,
	}, nil
}

// AddSession adds a session that was just made to the copy of those that exist. An address with too many rejections would
// otherwise have to wait until it is known.
func (a *Authenticator) AddSession(hash access.SessionHash) {
	if a.sessions != nil {
		a.sessions.snapshot.Add(hash)
	}
}

// KeyID is the API key of a caller; uuid.Nil: it has none.
func (id Identity) KeyID() uuid.UUID { return id.key.ID }
