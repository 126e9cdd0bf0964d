package auth

import (
	"context"
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/oauth2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// HasIssuer reports whether tokens of an issuer are accepted.
func (a *Authenticator) HasIssuer() bool { return a.issuer != nil }

// IssuerName is the issuer as its tokens name it; "" without one.
func (a *Authenticator) IssuerName() string {
	if a.issuer == nil {
		return ""
	}
	return a.issuer.settings.Issuer
}

// SignInEndpoint returns where people sign in at the issuer. A *problem.Problem while the issuer does
// not answer, KindPermanent if it has no such address, or one that is not protected.
func (a *Authenticator) SignInEndpoint(ctx context.Context) (oauth2.Endpoint, error) {
	const op = "query issuer"
	if a.issuer == nil {
		return oauth2.Endpoint{}, errs.Errorf(errs.KindPermanent, op, "no issuer is configured; sign in with an API key")
	}
	found, err := a.issuer.discovered(ctx)
	if err != nil {
		return oauth2.Endpoint{}, err
	}
	issuer, err := url.Parse(a.issuer.settings.Issuer)
	for _, address := range []string{found.endpoint.AuthURL, found.endpoint.TokenURL} {
		u, parseErr := url.Parse(address)
		// An issuer without TLS is on loopback.
		if err != nil || parseErr != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != issuer.Scheme {
			return oauth2.Endpoint{}, errs.Errorf(errs.KindPermanent, op, "the issuer has no https address where people sign in, or none for tokens; use an issuer with the authorization code flow, or sign in with an API key")
		}
	}
	return found.endpoint, nil
}

// TokenClient returns the client for the issuer's token endpoint. It limits time and size of
// responses and follows no redirects.
func (a *Authenticator) TokenClient() *http.Client { return a.issuer.tokenClient }

// IDToken is what an ID token says about the person who signed in.
type IDToken struct {
	Subject string
	Name    string // "": unknown.
}

// VerifyIDToken returns what an ID token for a client says, which has to have the nonce and, if it
// has a hash of the access token, that of this one. An *access.AuthError for another one.
func (a *Authenticator) VerifyIDToken(ctx context.Context, client, nonce, text, accessToken string) (IDToken, error) {
	reject := func(reason string) (IDToken, error) {
		return IDToken{}, &access.AuthError{Reason: reason, Detail: "the issuer's answer was not accepted, as its ID token is not for this sign-in; sign in again"}
	}
	found, err := a.issuer.discovered(ctx)
	if err != nil {
		return IDToken{}, err
	}
	token, reason, err := verifyToken(ctx, a.issuer.verifierFor(found, client), text)
	switch {
	case err != nil:
		return IDToken{}, err
	case reason != "":
		return reject("ID token: " + reason)
	case nonce == "" || subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(nonce)) != 1:
		return reject("ID token: other nonce")
	case token.AccessTokenHash != "" && token.VerifyAccessToken(accessToken) != nil:
		return reject("ID token: other access token")
	}
	var claims struct {
		Party     string `json:"azp"`
		Name      string `json:"name"`
		Preferred string `json:"preferred_username"`
	}
	if err := token.Claims(&claims); err != nil || token.Subject == "" {
		return reject("ID token: unreadable")
	}
	// OpenID Connect Core 3.1.3.7: the party is the client, and is named if there are other audiences.
	if claims.Party != "" && claims.Party != client || claims.Party == "" && len(token.Audience) > 1 {
		return reject("ID token: other party")
	}
	named := IDToken{Subject: token.Subject}
	for _, name := range []string{claims.Name, claims.Preferred} {
		if named.Name == "" && !strings.ContainsFunc(name, unicode.IsControl) {
			named.Name = strings.TrimSpace(name)
		}
	}
	return named, nil
}

// authStyle is how a client authenticates at a token endpoint with these methods. Without any the
// issuer has the default of OpenID Connect. It is never tried out: a code can be used once.
func authStyle(methods []string) oauth2.AuthStyle {
	if len(methods) > 0 && !slices.Contains(methods, "client_secret_basic") && slices.Contains(methods, "client_secret_post") {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}
