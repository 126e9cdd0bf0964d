package access

import (
	"context"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// AuthError is why a token was not accepted.
type AuthError struct {
	Reason string // For the audit log, in a word or two.
	Prefix string // The key that was named, if the token had the form of one.
	Detail string // For the caller: it tells nobody without a secret which keys exist.
}

// Error is for logs; callers are shown Detail.
func (r *AuthError) Error() string { return "token refused: " + r.Reason }

const unknownKeyDetail = "the API key is unknown or mistyped; create one with: tenant-api apikey create"

// MissingToken refuses a request that came without a token.
func MissingToken() *AuthError {
	return &AuthError{Reason: "no key", Detail: "no API key came with the request; send it as Authorization: Bearer hck_..."}
}

// Finder finds keys: a Store, or a Snapshot of one.
type Finder interface {
	// FindByPrefix returns KindNotFound for a prefix that no key has. A key that is revoked
	// or expired is found.
	FindByPrefix(ctx context.Context, prefix string) (Key, error)
}

// Verify returns the key of a token; "" is no token. It returns a *Refusal for a
// token that is not good (any more), and the finder's own error when that could not
// tell. A missing or malformed token is refused without a look-up; every other
// refusal costs one look-up and one comparison.
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
	case !key.RevokedAt.IsZero(): // From here on the caller has shown the secret and may know.
		return refuse("revoked", "the API key was revoked; create another one with: tenant-api apikey create")
	case !key.ExpiresAt.IsZero() && !now.Before(key.ExpiresAt):
		return refuse("expired", "the API key has expired; create another one with: tenant-api apikey create")
	}
	return key, nil
}
