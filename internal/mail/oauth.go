package mail

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Limits of a request for a token. The library reads at most 1 MB of an answer.
const (
	tokenTimeout = 30 * time.Second
	tokenMargin  = time.Minute // A token is not used in the last minute before it expires.
	tokenDefault = 5 * time.Minute
)

// tokenSource gets access tokens with client credentials, and keeps one until shortly before
// it expires.
type tokenSource struct {
	config   clientcredentials.Config
	client   *http.Client
	fetching chan struct{} // A lock whose wait ends with a context.

	mu    sync.Mutex
	token string
	until time.Time
}

func newTokenSource(o config.MailOAuth) *tokenSource {
	return &tokenSource{
		config: clientcredentials.Config{
			ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(), TokenURL: o.TokenURL, Scopes: strings.Fields(o.Scope),
		},
		fetching: make(chan struct{}, 1),
		client: &http.Client{Timeout: tokenTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
			return errTokenRedirect // It would take the secret elsewhere.
		}},
	}
}

var errTokenRedirect = errors.New("the token server redirects to another address")

// get returns a token, and whether it is new.
func (s *tokenSource) get(ctx context.Context) (token string, fresh bool, err error) {
	select {
	case s.fetching <- struct{}{}:
		defer func() { <-s.fetching }()
	case <-ctx.Done():
		return "", false, context.Cause(ctx)
	}
	if token := s.stored(); token != "" {
		return token, false, nil
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, s.client)
	got, err := s.config.Token(ctx)
	if err != nil {
		return "", false, s.classify(err)
	}
	until := got.Expiry.Add(-tokenMargin)
	if got.Expiry.IsZero() {
		until = time.Now().Add(tokenDefault)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.until = got.AccessToken, until
	return s.token, true, nil
}

func (s *tokenSource) stored() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().After(s.until) {
		return ""
	}
	return s.token
}

// forget drops a token that the mail server refused.
func (s *tokenSource) forget(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == token {
		s.token = ""
	}
}

// classify maps an error of the token server.
func (s *tokenSource) classify(err error) error {
	const op = "get OAuth token"
	hidden := secrets{s.config.ClientSecret}
	cause := hidden.withoutSecrets(err)
	var refusal *oauth2.RetrieveError
	switch {
	case errors.Is(err, errTokenRedirect):
		return settingsError(cause, op, "the token server redirects to another address; give the final one in MAIL_OAUTH_TOKEN_URL")
	case errors.As(err, &refusal) && refusal.Response != nil && refusal.Response.StatusCode/100 == 4 && refusal.Response.StatusCode != http.StatusTooManyRequests:
		said := hidden.ownWords(strings.Join([]string{refusal.Response.Status, refusal.ErrorCode, refusal.ErrorDescription}, " "))
		return settingsError(cause, op, "the token server refused the client (%s); check MAIL_OAUTH_CLIENT_ID, MAIL_OAUTH_CLIENT_SECRET and MAIL_OAUTH_SCOPE", said)
	}
	return errs.Wrap(cause, errs.KindTransient, op, "the token server gave no token; check MAIL_OAUTH_TOKEN_URL")
}
