package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// SessionPrefix is the start of every session's token.
const SessionPrefix = "hcs_"

// SessionRateLimit is how many requests a minute a session may make. One page of the console
// makes several.
const SessionRateLimit = 1200

// MaxSessions is how many sessions one person can have. Another one ends the oldest.
const MaxSessions = 50

// MaxPersonName is the maximum length, in characters, of what a session stores of a person: the
// subject of a token and the name.
const MaxPersonName = 255

// SessionHash is the SHA-256 of a session's token without its prefix. Only it is stored.
type SessionHash [sha256.Size]byte

// Session is a sign-in to the console that has neither ended nor timed out.
type Session struct {
	Hash SessionHash

	KeyID    uuid.UUID // Of the API key that the person signed in with; zero: with a token of the issuer.
	CallerID string    // The key's prefix, or the token's subject.
	Name     string    // The key's, or the person's.
	Scopes   []Scope   // A key's are those that it has now.

	OnlyMetadata tenant.MetadataFilter // The only tenants that it is for, as the key has it now; empty: all.

	KeyUsedAt  time.Time // When the key was last used, precise to a minute; zero: never, or no key.
	CreatedAt  time.Time
	LastSeenAt time.Time // Precise to a minute.
	ExpiresAt  time.Time
}

// Caller is the person as a caller: as if it had used the key or the token itself.
func (s Session) Caller() audit.Caller {
	kind := audit.CallerToken
	if s.KeyID != uuid.Nil {
		kind = audit.CallerAPIKey
	}
	return audit.Caller{Kind: kind, ID: s.CallerID, Name: s.Name}
}

// SessionRequest describes a new session.
type SessionRequest struct {
	KeyID uuid.UUID // The API key. Zero: the other fields describe the person.

	Subject string  // Of the issuer's token, at most MaxPersonName characters.
	Name    string  // The person's, at most MaxPersonName characters. "": unknown.
	Scopes  []Scope // Of the issuer's token.

	IdleTimeout time.Duration // It ends after this time without a request.
	TTL         time.Duration // It ends after this time in any case.

	Replaces SessionHash // The session that the same browser had; it ends. Zero: none.
}

// NewSessionToken makes the token of a session that does not exist yet.
func NewSessionToken() config.Secret {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // Documented never to return an error.
	return config.Secret(SessionPrefix + base64.RawURLEncoding.EncodeToString(secret))
}

// ParseSession returns the hash of a session's token; ok is false for a text that is not one.
func ParseSession(token string) (hash SessionHash, ok bool) {
	secret, found := strings.CutPrefix(token, SessionPrefix)
	if !found || len(secret) != secretLength {
		return SessionHash{}, false
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(secret); err != nil {
		return SessionHash{}, false
	}
	return sha256.Sum256([]byte(secret)), true
}

// SessionStore is the registry's port for sessions. Times are those of the registry's clock. Every
// method can also return KindTransient when the registry does not answer.
type SessionStore interface {
	// Create stores a new session, with an audit event of the context's caller. It also deletes some
	// that have timed out. KindNotFound if the key does not exist, was revoked or has expired.
	Create(ctx context.Context, hash SessionHash, r SessionRequest) error
	SessionFinder
	SessionLister
	// FindEnded returns those of the sessions that have ended or timed out, or whose key was revoked
	// or has expired. It is no use of them, and does not wait for other callers of the registry.
	FindEnded(ctx context.Context, hashes []SessionHash) ([]SessionHash, error)
	// End ends a session, with an audit event of the context's caller. It does nothing to a session
	// that does not exist.
	End(ctx context.Context, hash SessionHash) error
	// EndAll ends all sessions of the person who has this one, with one audit event, and returns how
	// many they were.
	EndAll(ctx context.Context, hash SessionHash) (int64, error)
}

// SessionFinder finds sessions.
type SessionFinder interface {
	// Find returns a session and records, at most once a minute, that it was used. KindNotFound for
	// one that has ended or timed out or never was, and for one whose key was revoked or has expired.
	Find(ctx context.Context, hash SessionHash) (Session, error)
}

// SessionLister lists sessions.
type SessionLister interface {
	// List returns the newest sessions that have not timed out, at most limit.
	List(ctx context.Context, limit int) ([]SessionHash, error)
}

// The actions on sessions in the registry's audit chain. A sign-in that was refused has the action
// AuditSignIn, too.
const (
	AuditSignIn            audit.Action = "console.sign_in"
	AuditSignOut           audit.Action = "console.sign_out"
	AuditSignOutEverywhere audit.Action = "console.sign_out_everywhere"
)

// malformedSession is the error of a text that is no token of a session, and of a token that is not
// accepted where it was sent to.
func malformedSession() *AuthError { return &AuthError{Reason: "malformed", Detail: unknownKeyDetail} }

// RefuseSession is the error of a session's token outside of the console. It costs no query.
func RefuseSession() *AuthError { return malformedSession() }

// EndedWhileOpen is the error of a response that ends because its session did.
func EndedWhileOpen() *AuthError {
	return &AuthError{Reason: "ended session", Detail: "the session ended while this response was open; sign in again"}
}

// VerifySession returns the session of a token. It returns an *AuthError for a token of no session,
// and the finder's error if the lookup failed. A malformed token is refused without a lookup; every
// other rejection costs one lookup, by a hash: its time says nothing about stored ones.
func VerifySession(ctx context.Context, sessions SessionFinder, token string) (Session, error) {
	hash, ok := ParseSession(token)
	if !ok {
		return Session{}, malformedSession()
	}
	session, err := sessions.Find(ctx, hash)
	if errs.KindOf(err) == errs.KindNotFound {
		return Session{}, endedSession()
	}
	return session, err
}

func endedSession() *AuthError {
	return &AuthError{Reason: "ended session", Detail: "the session has ended or timed out; sign in again"}
}
