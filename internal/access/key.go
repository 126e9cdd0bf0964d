package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// MaxKeyName is the maximum length of a key's name in characters.
const MaxKeyName = 100

// Key is an API key as the registry stores it. A zero time means that the event has not
// happened, or that the key does not expire.
type Key struct {
	ID        uuid.UUID
	Name      string
	Prefix    string // Finds the key; not secret.
	Hash      [sha256.Size]byte
	Scopes    []Scope
	RateLimit int // Requests per minute; 0: the server's.

	// OnlyMetadata narrows the key: it is only for tenants whose metadata has all of these pairs.
	// Empty: for all tenants.
	OnlyMetadata tenant.MetadataFilter

	CreatedAt  time.Time
	ExpiresAt  time.Time
	RevokedAt  time.Time
	LastUsedAt time.Time // Precise to a minute.
}

// KeyRequest describes a new key.
type KeyRequest struct {
	Name      string
	Scopes    []Scope
	TTL       time.Duration // How long it is valid; 0: until it is revoked.
	RateLimit int           // Requests per minute; 0: the server's.

	OnlyMetadata tenant.MetadataFilter // The only tenants that it is for; empty: all.
}

// MaxRateLimit is the most requests per minute that a key can have.
const MaxRateLimit = 1_000_000

// NewKey makes a key and its token. The token is not stored: the caller must keep it.
// KindInvalid for an invalid request.
func NewKey(r KeyRequest, now time.Time) (Key, config.Secret, error) {
	return makeKey(r, newToken(), now)
}

// KeyOf makes a key whose token was made elsewhere, with NewToken or as it does it.
// KindInvalid for an invalid request, and for a text that is no token.
func KeyOf(r KeyRequest, text config.Secret, now time.Time) (Key, error) {
	t, ok := parseToken(text.Reveal())
	if secret, err := base64.RawURLEncoding.Strict().DecodeString(t.secret); !ok || err != nil || len(secret) != secretBytes {
		return Key{}, &errs.Error{Kind: errs.KindInvalid, Op: "create API key",
			Fields: []errs.FieldError{{Field: "fromFile", Message: "has no API key; make one with tenant-api apikey generate"}}}
	}
	key, _, err := makeKey(r, t, now)
	return key, err
}

// NewToken makes a token that no registry has yet.
func NewToken() config.Secret { return config.Secret(newToken().text()) }

// SameAs reports whether both keys have the same token, name and rights.
func (k Key) SameAs(other Key) bool {
	return k.Prefix == other.Prefix && k.Hash == other.Hash && k.Name == other.Name && slices.Equal(k.Scopes, other.Scopes) &&
		k.RateLimit == other.RateLimit && maps.Equal(k.OnlyMetadata, other.OnlyMetadata)
}

func makeKey(r KeyRequest, token token, now time.Time) (Key, config.Secret, error) {
	name := tenant.NormalizeName(r.Name)
	invalid := func(field, message string) (Key, config.Secret, error) {
		return Key{}, "", &errs.Error{Kind: errs.KindInvalid, Op: "create API key",
			Fields: []errs.FieldError{{Field: field, Message: message}}}
	}
	switch {
	case name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > MaxKeyName:
		return invalid("name", "has an invalid length; give 1 to 100 characters")
	case strings.ContainsFunc(name, unicode.IsControl):
		return invalid("name", "has a control character; remove it")
	case r.TTL < 0:
		return invalid("expires", "is negative; give the duration for which the key is valid, such as 720h")
	case r.RateLimit < 0 || r.RateLimit > MaxRateLimit:
		return invalid("rateLimit", fmt.Sprintf("is out of range; give 1 to %d requests per minute, or none for the server's RATE_LIMIT", MaxRateLimit))
	}
	if err := tenant.CheckMetadata(r.OnlyMetadata); err != nil {
		return invalid("onlyMetadata", err.Error())
	}
	if err := validateScopes(r.Scopes); err != nil {
		return Key{}, "", err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Key{}, "", errs.Wrap(err, errs.KindPermanent, "create API key", "the system returned no random numbers")
	}
	key := Key{ID: id, Name: name, Prefix: token.prefix, Hash: token.hash(), Scopes: r.Scopes, RateLimit: r.RateLimit, OnlyMetadata: r.OnlyMetadata, CreatedAt: now}
	if r.TTL > 0 {
		key.ExpiresAt = now.Add(r.TTL)
	}
	return key, config.Secret(token.text()), nil
}

// TokenPrefix is the start of every API key's token. It distinguishes them from other
// tokens, also for programs that search for leaked ones.
const TokenPrefix = "hck_"

// The lengths of a token's halves.
const (
	prefixLength = 12
	secretBytes  = 32
	secretLength = 43 // Of secretBytes in base64url.
)

type token struct{ prefix, secret string }

func newToken() token {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // Documented never to return an error.
	return token{newPrefix(), base64.RawURLEncoding.EncodeToString(secret)}
}

// newPrefix returns a prefix of 60 random bits.
func newPrefix() string { return strings.ToLower(rand.Text()[:prefixLength]) }

func (t token) text() string { return TokenPrefix + t.prefix + "." + t.secret }

func (t token) hash() [sha256.Size]byte { return sha256.Sum256([]byte(t.secret)) }

// parseToken splits a token. It checks only the format.
func parseToken(text string) (t token, ok bool) {
	body, hasPrefix := strings.CutPrefix(text, TokenPrefix)
	prefix, secret, hasSeparator := strings.Cut(body, ".")
	if !hasPrefix || !hasSeparator || len(prefix) != prefixLength || len(secret) != secretLength {
		return token{}, false
	}
	if strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return token{}, false
	}
	return token{prefix, secret}, true
}

// matches compares in constant time.
func (k Key) matches(t token) bool {
	sum := t.hash()
	return subtle.ConstantTimeCompare(sum[:], k.Hash[:]) == 1
}
