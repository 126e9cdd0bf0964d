package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/time/rate"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// issuer recognises tokens of an OpenID Connect issuer. What it knows of the
// issuer it learns with the first token, so the server starts without it.
type issuer struct {
	settings OIDC
	clock    provisioning.Clock
	client   *http.Client

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier // Nil until the issuer has answered.
	silent   time.Time             // When it did not answer.
}

// Each token with a key that is not known makes us ask the issuer for its keys.
// A flood of such tokens shall not reach it.
const (
	askEvery = 5 * time.Second
	askBurst = 5
)

func newIssuer(o OIDC, clock provisioning.Clock) *issuer {
	client := http.Client{Timeout: 5 * time.Second}
	if o.Client != nil {
		client = *o.Client
	}
	client.Transport = &throttle{client.Transport, rate.NewLimiter(rate.Every(askEvery), askBurst)}
	return &issuer{settings: o, clock: clock, client: &client}
}

// errThrottled is why the issuer was not asked.
var errThrottled = errors.New("the issuer was asked often enough")

type throttle struct {
	next  http.RoundTripper
	limit *rate.Limiter
}

func (t *throttle) RoundTrip(r *http.Request) (*http.Response, error) {
	if !t.limit.Allow() {
		return nil, errThrottled
	}
	if t.next == nil {
		return http.DefaultTransport.RoundTrip(r)
	}
	return t.next.RoundTrip(r)
}

func unanswered(err error) error {
	return provisioning.Wrap(err, provisioning.KindTransient, "ask issuer", "the issuer of tokens does not answer; try again, or use an API key")
}

// ready gives the verifier. While the issuer is silent callers are told so at
// once, and do not queue up for it.
func (i *issuer) ready() (*oidc.IDTokenVerifier, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.clock.Now()
	if i.verifier != nil {
		return i.verifier, nil
	}
	if !i.silent.IsZero() && now.Sub(i.silent) < askEvery {
		return nil, unanswered(errThrottled)
	}
	// Provider and keys keep the context for all their later requests.
	ctx := oidc.ClientContext(context.Background(), i.client)
	provider, err := oidc.NewProvider(ctx, i.settings.Issuer)
	var more struct {
		Keys       string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err == nil {
		err = provider.Claims(&more)
	}
	if err != nil {
		i.silent = now
		return nil, unanswered(err)
	}
	i.verifier = oidc.NewVerifier(i.settings.Issuer, keys{oidc.NewRemoteKeySet(ctx, more.Keys)}, &oidc.Config{
		ClientID: i.settings.Audience, SupportedSigningAlgs: asymmetric(more.Algorithms), Now: i.clock.Now,
	})
	return i.verifier, nil
}

// asymmetric leaves out what would make the issuer's public key a shared secret,
// and "none".
func asymmetric(algorithms []string) []string {
	var good []string
	for _, a := range algorithms {
		switch a {
		case oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA:
			good = append(good, a)
		}
	}
	return good // Empty means RS256 alone.
}

// keys notes why a signature could not be checked; the verifier keeps the text of
// it only.
type keys struct{ oidc.KeySet }

type whyKey struct{}

func (k keys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, token)
	if why, wanted := ctx.Value(whyKey{}).(*error); wanted {
		*why = err
	}
	return payload, err
}

// verify recognises the subject of a token. It returns an *access.Refusal for a
// token that is not good.
func (i *issuer) verify(ctx context.Context, text string) (identity, error) {
	refuse := func(reason string) (identity, error) {
		return identity{}, &access.Refusal{Reason: reason, Detail: "the token was not accepted: it is no API key, and no valid token of the issuer that this server trusts"}
	}
	if strings.Count(text, ".") != 2 {
		return refuse("malformed")
	}
	verifier, err := i.ready()
	if err != nil {
		return identity{}, err
	}
	var why error
	token, err := verifier.Verify(context.WithValue(ctx, whyKey{}, &why), text)
	var (
		expired *oidc.TokenExpiredError
		network *url.Error
	)
	switch {
	case errors.As(err, &expired):
		return refuse("expired token")
	case errors.As(why, &network) && !errors.Is(why, errThrottled):
		return identity{}, unanswered(why)
	case err != nil:
		return refuse("token not valid")
	}
	who, readable := identityOf(token)
	if !readable {
		return refuse("token without a readable subject")
	}
	return who, nil
}

// identityOf reads what a valid token says of its bearer.
func identityOf(token *oidc.IDToken) (identity, bool) {
	var claims struct {
		Name  string          `json:"name"`
		Scope string          `json:"scope"`
		Scp   json.RawMessage `json:"scp"`
	}
	if err := token.Claims(&claims); err != nil || token.Subject == "" || strings.ContainsFunc(token.Subject+claims.Name, unicode.IsControl) {
		return identity{}, false
	}
	who := identity{caller: provisioning.Caller{Kind: provisioning.CallerToken, ID: token.Subject, Name: claims.Name}}
	for _, word := range append(strings.Fields(claims.Scope), scp(claims.Scp)...) {
		if s := access.Scope(word); s.Known() {
			who.scopes = append(who.scopes, s)
		}
	}
	return who, true
}

// scp is the claim that some issuers use for scopes: a list, or words in a string.
func scp(raw json.RawMessage) []string {
	var (
		list []string
		line string
	)
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	if json.Unmarshal(raw, &line) == nil {
		return strings.Fields(line)
	}
	return nil
}
