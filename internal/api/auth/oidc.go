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
	"golang.org/x/oauth2"
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
	client      *http.Client       // For the issuer's documents.
	tokenClient *http.Client       // For tokens of people who sign in.
	discovering singleflight.Group // Concurrent callers share a discovery; each waits until its context ends.

	mu       sync.Mutex // Never held during a request to the issuer.
	found    *discovery // Nil until the first discovery has succeeded.
	failedAt time.Time  // Time of the last failed discovery.
}

// discovery is what an issuer says about itself.
type discovery struct {
	verifier   *oidc.IDTokenVerifier // Of tokens for the API.
	endpoint   oauth2.Endpoint       // Where people sign in.
	keys       oidc.KeySet
	algorithms []string
}

func newIssuer(o OIDC, clock clock.Clock) *issuer {
	return &issuer{settings: o, clock: clock, client: issuerClient(o.Client, clock), tokenClient: tokenClient(o.Client)}
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

// discovered returns what the issuer says about itself. Shortly after a failed discovery it returns an error
// immediately. During a discovery callers wait for the result, at most until their contexts
// end.
func (i *issuer) discovered(ctx context.Context) (*discovery, error) {
	if found, failed := i.known(); found != nil || failed {
		if failed {
			return nil, issuerUnavailable(errThrottled)
		}
		return found, nil
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
	found, _ := i.known()
	return found, nil
}

// known returns the last discovery if one has succeeded; failed is true shortly after a failed one,
// when the issuer is not queried.
func (i *issuer) known() (found *discovery, failed bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.found, i.found == nil && !i.failedAt.IsZero() && i.clock.Now().Sub(i.failedAt) < issuerMinInterval
}

func (i *issuer) discover() error {
	if found, failed := i.known(); found != nil {
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
		Methods    []string `json:"token_endpoint_auth_methods_supported"`
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
	i.found = &discovery{endpoint: provider.Endpoint(), keys: keys, algorithms: algorithms}
	i.found.endpoint.AuthStyle = authStyle(more.Methods)
	i.found.verifier = i.verifierFor(i.found, i.settings.Audience)
	return nil
}

// verifierFor returns the verifier of the issuer's tokens for an audience.
func (i *issuer) verifierFor(found *discovery, audience string) *oidc.IDTokenVerifier {
	return oidc.NewVerifier(i.settings.Issuer, found.keys, &oidc.Config{
		ClientID: audience, SupportedSigningAlgs: found.algorithms, Now: i.clock.Now,
	})
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
	found, err := i.discovered(ctx)
	if err != nil {
		return Identity{}, err
	}
	token, reason, err := verifyToken(ctx, found.verifier, text)
	switch {
	case err != nil:
		return Identity{}, err
	case reason != "":
		return reject(reason)
	}
	id, ok := identityFromToken(token)
	if !ok {
		return reject("token without a readable subject")
	}
	return id, nil
}

// verifyToken returns a valid token, or why it is not valid. It returns an error if the issuer's keys
// cannot be read.
func verifyToken(ctx context.Context, verifier *oidc.IDTokenVerifier, text string) (valid *oidc.IDToken, reason string, err error) {
	var (
		verifyErr  error
		expiredErr *oidc.TokenExpiredError
		noKeys     *noKeysError
	)
	token, err := verifier.Verify(context.WithValue(ctx, verifyErrorKey{}, &verifyErr), text)
	switch {
	case errors.As(err, &expiredErr):
		return nil, "expired token", nil
	case errors.As(verifyErr, &noKeys):
		return nil, "", issuerUnavailable(noKeys.cause)
	case err != nil:
		return nil, "invalid token", nil //nolint:nilerr // The reason is for the audit log; the error quotes the token.
	}
	return token, "", nil
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
