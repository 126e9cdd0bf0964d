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

// issuer recognises tokens of an OpenID Connect issuer. What it knows of the
// issuer it learns with the first token, so the server starts without it.
type issuer struct {
	settings    OIDC
	clock       clock.Clock
	client      *http.Client
	discovering singleflight.Group // Callers share a discovery, each as long as its context lasts.

	mu       sync.Mutex            // Never held while the issuer is asked.
	verifier *oidc.IDTokenVerifier // Nil until the issuer has answered.
	failedAt time.Time             // When it last did not.
}

func newIssuer(o OIDC, clock clock.Clock) *issuer {
	return &issuer{settings: o, clock: clock, client: issuerClient(o.Client, clock)}
}

// issuerUnavailable is the answer when the issuer could not be asked. It blames no
// token: the same one may be good in a moment.
func issuerUnavailable(err error) error {
	if kind := errs.KindOf(err); kind == errs.KindCancelled {
		return err
	}
	p := problem.From(errs.Wrap(err, errs.KindTransient, "ask issuer", "the issuer of tokens does not answer; try again, or use an API key"))
	if errors.Is(err, errThrottled) {
		return p.WithHeader("Retry-After", limits.CeilSeconds(issuerMinInterval))
	}
	return p
}

// discovered gives the verifier. While the issuer does not answer callers are told so
// at once. Those who come during a discovery wait for it, no longer than their
// contexts last.
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

// known gives the verifier if there is one; failed says that the issuer is left alone
// because it did not answer a moment ago.
func (i *issuer) known() (verifier *oidc.IDTokenVerifier, failed bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.verifier, i.verifier == nil && !i.failedAt.IsZero() && i.clock.Now().Sub(i.failedAt) < issuerMinInterval
}

func (i *issuer) discover() error {
	if verifier, failed := i.known(); verifier != nil {
		return nil // Another discovery ended meanwhile.
	} else if failed {
		return errThrottled
	}
	// The client bounds its time; no caller's context may, because others wait, too.
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

// asymmetricAlgorithms leaves out what would make the issuer's public key a shared secret,
// and "none". An issuer that names nothing else signs with RS256.
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

// verify recognises the subject of a token. It returns an *access.AuthError for a
// token that is not good.
func (i *issuer) verify(ctx context.Context, text string) (Identity, error) {
	reject := func(reason string) (Identity, error) {
		return Identity{}, &access.AuthError{Reason: reason, Detail: "the token was not accepted: it is no API key, and no valid token of the issuer that this server trusts"}
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
		return reject("token not valid")
	}
	id, ok := identityFromToken(token)
	if !ok {
		return reject("token without a readable subject")
	}
	return id, nil
}

// identityFromToken reads what a valid token says of its bearer.
func identityFromToken(token *oidc.IDToken) (Identity, bool) {
	var claims struct {
		Name  string          `json:"name"`
		Scope string          `json:"scope"`
		Scp   json.RawMessage `json:"scp"`
	}
	if err := token.Claims(&claims); err != nil || token.Subject == "" || strings.ContainsFunc(token.Subject+claims.Name, unicode.IsControl) {
		return Identity{}, false
	}
	id := Identity{Caller: audit.Caller{Kind: audit.CallerToken, ID: token.Subject, Name: claims.Name}}
	for _, name := range append(strings.Fields(claims.Scope), scpScopes(claims.Scp)...) {
		if s := access.Scope(name); s.IsValid() {
			id.Scopes = append(id.Scopes, s)
		}
	}
	return id, true
}

// scpScopes is the claim that some issuers use for scopes: a list, or words in a string.
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
