package access

import (
	"context"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Refusal is why a token was not accepted.
type Refusal struct { //nolint:errname // what it is comes before how it is returned
	Reason string // For the audit log, in a word or two.
	Prefix string // The key that was named, if the token had the form of one.
	Detail string // For the caller: it tells nobody without a secret which keys exist.
}

// Error is for logs; callers are shown Detail.
func (r *Refusal) Error() string { return "token refused: " + r.Reason }

const unknownKey = "the API key is unknown or mistyped; create one with: tenant-api apikey create"

// NoToken refuses a request that came without a token.
func NoToken() *Refusal {
	return &Refusal{Reason: "no key", Detail: "no API key came with the request; send it as Authorization: Bearer hck_..."}
}

// Verify finds the key that a token shows; "" is no token. It returns a *Refusal
// for a token that is not good (any more), and the store's own error when that
// could not tell. Every refusal costs one look-up and one comparison.
func Verify(ctx context.Context, store Store, text string, now time.Time) (Key, error) {
	shown, formed := parseToken(text)
	prefix := shown.prefix
	if !formed {
		prefix = newPrefix() // Nobody's, but looked up like a real one.
	}
	key, err := store.Find(ctx, prefix)
	found := err == nil
	if err != nil && provisioning.KindOf(err) != provisioning.KindNotFound {
		return Key{}, err
	}
	right := key.matches(shown)
	switch {
	case text == "":
		return Key{}, NoToken()
	case !formed:
		return Key{}, &Refusal{Reason: "malformed", Detail: unknownKey}
	case !found:
		return Key{}, &Refusal{Reason: "unknown key", Prefix: prefix, Detail: unknownKey}
	case !right:
		return Key{}, &Refusal{Reason: "wrong secret", Prefix: prefix, Detail: unknownKey}
	case !key.RevokedAt.IsZero(): // From here on the caller has shown the secret and may know.
		return Key{}, &Refusal{Reason: "revoked", Prefix: prefix, Detail: "the API key was revoked; create another one with: tenant-api apikey create"}
	case !key.ExpiresAt.IsZero() && !now.Before(key.ExpiresAt):
		return Key{}, &Refusal{Reason: "expired", Prefix: prefix, Detail: "the API key has expired; create another one with: tenant-api apikey create"}
	}
	return key, nil
}
