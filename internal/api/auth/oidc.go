package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/limits"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// issuer verifies tokens of an OpenID Connect issuer. It discovers the issuer's settings
// with the first token, so the server starts without the issuer.
type issuer struct {
	settings    OIDC
	clock       clock.Clock
	client      *http.Client
	discovering singleflight.Group // Concurrent callers share a discovery; each waits until its context ends.

	mu       sync.Mutex            // Never held during a request to the issuer.
	verifier *oidc.IDTokenVerifier // Nil until the first discovery has succeeded.
	failedAt time.Time             // Time of the last failed discovery.
}

func newIssuer(o OIDC, clock clock.Clock) *issuer {
	return &issuer{settings: o, clock: clock, client: issuerClient(o.Client, clock)}
}

// issuerUnavailable is the error when the issuer cannot be reached. It does not reject the
// token: the same one may be accepted shortly after.
func issuerUnavailable(err error) error {
	if kind := errs.KindOf(err); kind == errs.KindCancelled {
		return err
	}
	p := problem.From(errs.Wrap(err, errs.KindTransient, "query issuer", "the token issuer does not answer; try again, or use an API key"))
	if errors.Is(err, errThrottled) {
		return p.WithHeader("Retry-After", limits.CeilSeconds(issuerMinInterval))
	}
	return p
}

// discovered returns the verifier. Shortly after a failed discovery it returns an error
// immediately. During a discovery callers wait for the result, at most until their contexts
// end.
func (i *issuer) discovered(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	if verifier, failed := i.known(); verifier != nil || failed {
		if failed {
			return nil, issuerUnavailable(errThrottled)
		}
		return verifier, nil
	}
	done := i.discovering.DoChan("", func() (any, error) { return nil, i.discover() })
	select {
	case result := <-done:
		if result.Err != nil {
			return nil, issuerUnavailable(result.Err)
		}
	case <-ctx.Done():
		return nil, issuerUnavailable(ctx.Err())
	}
	verifier, _ := i.known()
	return verifier, nil
}

// known returns the verifier if it exists; failed is true shortly after a failed discovery,
// when the issuer is not queried.
func (i *issuer) known() (verifier *oidc.IDTokenVerifier, failed bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.verifier, i.verifier == nil && !i.failedAt.IsZero() && i.clock.Now().Sub(i.failedAt) < issuerMinInterval
}

func (i *issuer) discover() error {
	if verifier, failed := i.known(); verifier != nil {
		return nil // Another discovery has succeeded since.
	} else if failed {
		return errThrottled
	}
	// The client's timeout limits this request, not a caller's context: other callers wait
	// for it, too.
	provider, err := oidc.NewProvider(oidc.ClientContext(context.Background(), i.client), i.settings.Issuer)
	var more struct {
		Keys       string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err == nil {
		err = provider.Claims(&more)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if err != nil {
		i.failedAt = i.clock.Now()
		return err
	}
	algorithms := asymmetricAlgorithms(more.Algorithms)
	keys := &issuerKeys{url: more.Keys, client: i.client}
	for _, a := range algorithms {
		keys.algorithms = append(keys.algorithms, jose.SignatureAlgorithm(a))
	}
	i.verifier = oidc.NewVerifier(i.settings.Issuer, keys, &oidc.Config{
		ClientID: i.settings.Audience, SupportedSigningAlgs: algorithms, Now: i.clock.Now,
	})
	return nil
}

// asymmetricAlgorithms removes "none" and algorithms that would make the issuer's public
// key a shared secret. The default is RS256.
func asymmetricAlgorithms(algorithms []string) []string {
	var accepted []string
	for _, a := range algorithms {
		switch a {
		case oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA:
			accepted = append(accepted, a)
		}
	}
	if len(accepted) == 0 {
		return []string{oidc.RS256}
	}
	return accepted
}

// verify returns the subject of a token. It returns an *access.AuthError for an invalid
// token.
func (i *issuer) verify(ctx context.Context, text string) (Identity, error) {
	reject := func(reason string) (Identity, error) {
		return Identity{}, &access.AuthError{Reason: reason, Detail: "the token was not accepted: it is neither an API key nor a valid token of the trusted issuer"}
	}
	if strings.Count(text, ".") != 2 {
		return reject("malformed")
	}
	verifier, err := i.discovered(ctx)
	if err != nil {
		return Identity{}, err
	}
	var verifyErr error
	token, err := verifier.Verify(context.WithValue(ctx, verifyErrorKey{}, &verifyErr), text)
	var (
		expiredErr *oidc.TokenExpiredError
		noKeys     *noKeysError
	)
	switch {
	case errors.As(err, &expiredErr):
		return reject("expired token")
	case errors.As(verifyErr, &noKeys):
		return Identity{}, issuerUnavailable(noKeys.cause)
	case err != nil:
		return reject("invalid token")
	}
	id, ok := identityFromToken(token)
	if !ok {
		return reject("token without a readable subject")
	}
	return id, nil
}

// identityFromToken reads the identity in a valid token.
func identityFromToken(token *oidc.IDToken) (Identity, bool) {
	var claims struct {
		Name  string          `json:"name"`
		Scope string          `json:"scope"`
		Scp   json.RawMessage `json:"scp"`
	}
	if err := token.Claims(&claims); err != nil || token.Subject == "" || strings.ContainsFunc(token.Subject+claims.Name, unicode.IsControl) {
		return Identity{}, false
	}
	id := Identity{Caller: audit.Caller{Kind: audit.CallerToken, ID: token.Subject, Name: claims.Name}, expiresAt: token.Expiry}
	for _, name := range append(strings.Fields(claims.Scope), scpScopes(claims.Scp)...) {
		if s := access.Scope(name); s.IsValid() {
			id.Scopes = append(id.Scopes, s)
		}
	}
	return id, true
}

// scpScopes reads the scp claim, which some issuers use for scopes: a list, or words in a
// string.
func scpScopes(raw json.RawMessage) []string {
	var (
		list  []string
		words string
	)
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	if json.Unmarshal(raw, &words) == nil {
		return strings.Fields(words)
	}
	return nil
}
