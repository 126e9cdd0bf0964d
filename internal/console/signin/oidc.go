package signin

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// CallbackPath is where the issuer sends a person back to, at the address of the console: Finish is
// for its requests. The issuer has to know that address.
const CallbackPath = Path + "/sign-in/callback"

const (
	// maxExchanges is how many codes are exchanged at the same time.
	maxExchanges = 16
	// maxParameter is the most bytes of a parameter of the issuer's answer.
	maxParameter = 4096
)

// OIDC are the settings of this program as a client of the issuer.
type OIDC struct {
	URL          string        // Where browsers reach the server, without a path and a trailing slash.
	ClientID     string        // Empty: no sign-in at the issuer.
	ClientSecret config.Secret // Empty: a public client.
	Scopes       []string      // What is requested.
}

func (m *Manager) checkOIDC() error {
	o := m.opts.OIDC
	if o.ClientID != "" && (o.URL == "" || !m.auth.HasIssuer() || !slices.Contains(o.Scopes, oidc.ScopeOpenID)) {
		return errs.Errorf(errs.KindInvalid, "set up sign-in", "OIDC has a client, but no URL, no issuer, or no scope openid; give all of them")
	}
	if o.URL != "" {
		if err := m.crossOrigin.AddTrustedOrigin(o.URL); err != nil {
			return errs.Wrap(err, errs.KindInvalid, "set up sign-in", "URL is not an origin; give it as https://tenants.example")
		}
	}
	return nil
}

// OIDC reports whether people can sign in at the issuer.
func (m *Manager) OIDC() bool { return m.opts.OIDC.ClientID != "" }

// Begin sends a browser to the issuer (303), to sign in and to return to a page of the console. An
// address elsewhere is not returned to.
func (m *Manager) Begin(w http.ResponseWriter, r *http.Request, returnTo string) error {
	client, err := m.client(r.Context())
	if err != nil {
		return err
	}
	a := newAttempt(SafeReturn(returnTo), m.opts.Clock.Now())
	writeAttempts(w, append([]attempt{a}, m.attempts(r)...))
	http.Redirect(w, r, client.AuthCodeURL(a.state(), oidc.Nonce(a.nonce()), oauth2.S256ChallengeOption(a.verifier())), http.StatusSeeOther)
	return nil
}

// client is this program as a client of the issuer.
func (m *Manager) client(ctx context.Context) (*oauth2.Config, error) {
	if !m.OIDC() {
		return nil, errs.Errorf(errs.KindNotFound, "sign in", "there is no sign-in at an issuer; sign in with an API key")
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	endpoint, err := m.auth.SignInEndpoint(ctx)
	if err != nil {
		return nil, err
	}
	o := m.opts.OIDC
	if o.ClientSecret == "" {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(), Endpoint: endpoint, RedirectURL: o.URL + CallbackPath, Scopes: o.Scopes,
	}, nil
}

// Finish signs in a person whom the issuer sent back: it makes a session and sets its cookie. It
// returns the page of the console to go to. Answer with a page that navigates there, and not with a
// redirect: after one from another site a browser does not send the session's cookie. An
// *access.AuthError or a *problem.Problem if the sign-in is refused.
func (m *Manager) Finish(w http.ResponseWriter, r *http.Request) (returnTo string, err error) {
	query := r.URL.Query()
	a, others, found := find(m.attempts(r), query.Get("state"))
	if !found {
		return "", m.refuse(r, audit.Caller{}, withOIDC, &access.AuthError{
			Reason: "unknown state", Detail: "this sign-in was not begun in this browser, or more than ten minutes ago, or it has ended; sign in again",
		})
	}
	writeAttempts(w, others) // It can be used once.
	if iss := query.Get("iss"); iss != "" && iss != m.auth.IssuerName() {
		return "", m.refuse(r, audit.Caller{}, withOIDC, &access.AuthError{Reason: "other issuer", Detail: "the answer is of another issuer; sign in again"})
	}
	if code := query.Get("error"); code != "" {
		return "", m.refuse(r, audit.Caller{}, withOIDC, &access.AuthError{
			Reason: "issuer: " + printable(code), Detail: "the issuer refused the sign-in: " + cmp.Or(printable(query.Get("error_description")), printable(code)),
		})
	}
	id, err := m.identify(r.Context(), a, query.Get("code"))
	var authErr *access.AuthError
	if errors.As(err, &authErr) {
		return "", m.refuse(r, id.Caller, withOIDC, authErr)
	} else if err != nil {
		return "", err
	}
	if err := m.signIn(w, r, id); err != nil {
		return "", err
	}
	return SafeReturn(a.ReturnTo), nil
}

const withOIDC = "oidc"

// identify exchanges a code and returns who signed in. What the person may do is what the access
// token permits, which is verified as the API verifies it.
func (m *Manager) identify(ctx context.Context, a attempt, code string) (auth.Identity, error) {
	client, err := m.client(ctx)
	if err != nil {
		return auth.Identity{}, err
	}
	reject := func(c audit.Caller, reason, detail string) (auth.Identity, error) {
		return auth.Identity{Caller: c}, &access.AuthError{Reason: reason, Detail: detail}
	}
	if code == "" || len(code) > maxParameter {
		return reject(audit.Caller{}, "no code", "the issuer's answer has no code; sign in again")
	}
	tokens, err := m.exchange(ctx, client, code, a.verifier())
	if err != nil {
		return auth.Identity{}, err
	}
	text, _ := tokens.Extra("id_token").(string)
	if text == "" {
		return reject(audit.Caller{}, "no ID token", "the issuer sent no ID token; check that it knows the client as one of OpenID Connect")
	}
	person, err := m.auth.VerifyIDToken(ctx, client.ClientID, a.nonce(), text, tokens.AccessToken)
	if err != nil {
		return auth.Identity{}, err
	}
	known := audit.Caller{Kind: audit.CallerToken, ID: shorten(person.Subject), Name: shorten(person.Name)}
	id, err := m.auth.Authenticate(ctx, tokens.AccessToken)
	var authErr *access.AuthError
	switch {
	case errors.As(err, &authErr):
		return reject(known, "access token: "+authErr.Reason,
			"the issuer's access token is not one that this API accepts; have the issuer issue it as a signed JWT with the audience of AUTH_OIDC_AUDIENCE, see CONSOLE_OIDC_SCOPES")
	case err != nil:
		return auth.Identity{}, err
	case id.Caller.Kind != audit.CallerToken:
		return reject(known, "access token: no token of the issuer", "the issuer's access token is not its own; sign in with an API key")
	case len(id.Scopes) == 0:
		return reject(known, "no scopes", "you are known to the issuer, but it gave you none of this API's scopes, such as tenants:read; ask who administers it")
	case utf8.RuneCountInString(id.Caller.ID) > access.MaxPersonName || !utf8.ValidString(id.Caller.ID):
		return reject(known, "subject too long", "the issuer's name for you is longer than 255 characters; sign in with an API key")
	}
	id.Caller.Name = cmp.Or(known.Name, shorten(id.Caller.Name))
	return id, nil
}

// exchange gets the tokens for a code. An *access.AuthError if the issuer refuses, KindTransient if it
// does not answer.
func (m *Manager) exchange(ctx context.Context, client *oauth2.Config, code, verifier string) (*oauth2.Token, error) {
	const op = "sign in"
	select {
	case m.exchanges <- struct{}{}:
		defer func() { <-m.exchanges }()
	default:
		return nil, errs.Errorf(errs.KindTransient, op, "too many people are signing in at the same time; try again")
	}
	tokens, err := client.Exchange(context.WithValue(ctx, oauth2.HTTPClient, m.auth.TokenClient()), code, oauth2.VerifierOption(verifier))
	var refused *oauth2.RetrieveError
	switch {
	case err == nil:
		return tokens, nil
	case !errors.As(err, &refused):
		m.opts.Logger.Warn("the issuer did not answer a sign-in with tokens", slog.Any("error", err))
		return nil, errs.Wrap(err, errs.KindTransient, op, "the issuer does not answer; try again, or sign in with an API key")
	}
	// Its text quotes the whole answer.
	status, reason := refused.Response.StatusCode, printable(refused.ErrorCode)
	m.opts.Logger.Warn("the issuer refused the code of a sign-in", slog.Int("status", status), slog.String("reason", reason))
	switch {
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return nil, errs.Errorf(errs.KindTransient, op, "the issuer does not answer; try again, or sign in with an API key")
	case reason == "invalid_grant":
		return nil, &access.AuthError{Reason: "issuer: invalid_grant", Detail: "the issuer does not accept this sign-in any more; sign in again"}
	}
	return nil, &access.AuthError{
		Reason: "issuer: " + cmp.Or(reason, http.StatusText(status)),
		Detail: "the issuer refuses this server; have CONSOLE_OIDC_CLIENT_ID, CONSOLE_OIDC_CLIENT_SECRET and the client's redirect address " + CallbackPath + " checked",
	}
}

// maxPrintable is the most bytes of an issuer's text that are shown or recorded.
const maxPrintable = 200

// printable is a text of the issuer's answer, which anybody can write who has a person follow a link.
func printable(text string) string {
	if len(text) > maxPrintable {
		text = text[:maxPrintable]
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text))
}

// shorten is a name as a session can store it.
func shorten(name string) string {
	runes := []rune(strings.ToValidUTF8(name, ""))
	return string(runes[:min(len(runes), access.MaxPersonName)])
}
