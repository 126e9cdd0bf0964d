package access

import (
	"context"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// AuthError is the reason why a token was not accepted.
type AuthError struct {
	Reason string // For the audit log, one or two words.
	Prefix string // The key's prefix, if the token is well formed.
	Detail string // For the caller; without the secret it does not reveal which keys exist.
}

// Error is for logs; callers receive Detail.
func (r *AuthError) Error() string { return "token refused: " + r.Reason }

const unknownKeyDetail = "the API key is unknown or mistyped; create one with: tenant-api apikey create"

// MissingToken is the error of a request without a token.
func MissingToken() *AuthError {
	return &AuthError{Reason: "no key", Detail: "no API key came with the request; send it as Authorization: Bearer hck_..."}
}

// RevokedWhileOpen is the error of a response that ends because its key was revoked.
func RevokedWhileOpen() *AuthError {
	return &AuthError{Reason: "revoked", Detail: "the API key was revoked while this response was open; create another one with: tenant-api apikey create"}
}

// ExpiredWhileOpen is the error of a response that ends because its key or token has expired.
func ExpiredWhileOpen() *AuthError {
	return &AuthError{Reason: "expired", Detail: "the API key or token expired while this response was open; repeat the request with another one"}
}

// Finder finds keys: a Store, or a Snapshot of one.
type Finder interface {
	// FindByPrefix returns KindNotFound for an unknown prefix. It also finds revoked and
	// expired keys.
	FindByPrefix(ctx context.Context, prefix string) (Key, error)
}

// Verify returns the key of a token; "" is no token. It returns an *AuthError for a token
// that is not valid or no longer valid, and the finder's error if the lookup failed. A
// missing or malformed token is refused without a lookup; every other rejection costs one
// lookup and one comparison.
func Verify(ctx context.Context, keys Finder, text string, now time.Time) (Key, error) {
	if text == "" {
		return Key{}, MissingToken()
	}
	presented, wellFormed := parseToken(text)
	if !wellFormed {
		return Key{}, &AuthError{Reason: "malformed", Detail: unknownKeyDetail}
	}
	key, err := keys.FindByPrefix(ctx, presented.prefix)
	found := err == nil
	if err != nil && errs.KindOf(err) != errs.KindNotFound {
		return Key{}, err
	}
	matches := key.matches(presented)
	refuse := func(reason, detail string) (Key, error) {
		return Key{}, &AuthError{Reason: reason, Prefix: presented.prefix, Detail: detail}
	}
	switch {
	case !found:
		return refuse("unknown key", unknownKeyDetail)
	case !matches:
		return refuse("wrong secret", unknownKeyDetail)
	case !key.RevokedAt.IsZero(): // From here on the caller has proved the secret and may learn the state.
		return refuse("revoked", "the API key was revoked; create another one with: tenant-api apikey create")
	case !key.ExpiresAt.IsZero() && !now.Before(key.ExpiresAt):
		return refuse("expired", "the API key has expired; create another one with: tenant-api apikey create")
	}
	return key, nil
}
