// Package invitation defines the single-use tokens with which administrators set a
// password. The registry stores only their SHA-256.
package invitation

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"
)

// DefaultTTL is how long an admin has to accept an invitation, by default. MinTTL and MaxTTL are
// the limits.
const (
	DefaultTTL = 72 * time.Hour
	MinTTL     = time.Hour
	MaxTTL     = 30 * 24 * time.Hour
)

// DefaultReminder is how long before the end of an invitation its reminder is sent, by default.
const DefaultReminder = 24 * time.Hour

// The size of a token: random bytes, and the characters that they are written as.
const (
	tokenBytes  = 32
	tokenLength = 43
)

// Invitation lets a tenant's first admin choose a password, once. The registry stores
// Hash; only the welcome mail contains the token.
type Invitation struct {
	Hash      [sha256.Size]byte
	ExpiresAt time.Time
	token     string
}

// NewInvitation draws 32 random bytes for an invitation until a time. It cannot fail: crypto/rand
// crashes the program if the system has no random numbers.
func NewInvitation(end time.Time) Invitation {
	secret := make([]byte, tokenBytes)
	_, _ = rand.Read(secret) // Documented never to return an error.
	token := base64.RawURLEncoding.EncodeToString(secret)
	return Invitation{Hash: HashInvitation(token), ExpiresAt: end, token: token}
}

// Status says what became of an invitation.
type Status string

// Known reports whether s is one of the statuses.
func (s Status) Known() bool { return slices.Contains(Statuses(), s) }

// Statuses are all statuses.
func Statuses() []Status {
	return []Status{StatusNone, StatusPending, StatusAccepted, StatusExpired, StatusRevoked}
}

// The statuses of invitations.
const (
	StatusNone     Status = "NONE"     // Nobody was invited.
	StatusPending  Status = "PENDING"  // It can be accepted.
	StatusAccepted Status = "ACCEPTED" // Its user chose a password.
	StatusExpired  Status = "EXPIRED"  // A new one can be sent to the same address.
	StatusRevoked  Status = "REVOKED"  // A later one took its place, or the tenant is out of service.
)

// ParseToken returns the hash that is stored of a token; ok is false for a text that
// NewInvitation cannot have made.
func ParseToken(text string) (hash [sha256.Size]byte, ok bool) {
	if len(text) != tokenLength {
		return hash, false
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(text); err != nil || strings.ContainsAny(text, "\r\n") {
		return hash, false
	}
	return HashInvitation(text), true
}

// HashInvitation returns the hash that is stored of a token. A plain hash is enough: the
// token has 256 random bits and cannot be guessed from it.
func HashInvitation(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// Token is the secret for the link. It is empty for an invitation read from the registry,
// which does not store it.
func (i Invitation) Token() string { return i.token }

// String keeps the token out of logs.
func (i Invitation) String() string {
	return "invitation until " + i.ExpiresAt.UTC().Format(time.RFC3339)
}

// GoString keeps the token out of %#v.
func (i Invitation) GoString() string { return i.String() }
