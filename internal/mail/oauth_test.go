package mail_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
)

// tokenServer is a token server that numbers its tokens.
type tokenServer struct {
	*httptest.Server
	expires int // Seconds.
	reply   func(w http.ResponseWriter)

	mu     sync.Mutex
	issued int
}

func startTokenServer(t *testing.T) *tokenServer {
	t.Helper()
	s := &tokenServer{expires: 3600}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, ok := r.BasicAuth()
		if !ok { // The library finds out which way a server wants them.
			id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
		}
		if r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "mail.send" || id != "client" || secret != "s3cret" {
			http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.reply != nil {
			s.reply(w)
			return
		}
		s.issued++
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"Bearer","expires_in":%d}`, s.issued, s.expires)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *tokenServer) tokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued
}

// oauthServer is an SMTP server that takes XOAUTH2 alone, with certain tokens.
type oauthServer struct {
	offers []string

	mu      sync.Mutex
	refuses []string // Tokens.
	tried   []string
	user    string
}

func (s *oauthServer) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &oauthSession{server: s}, nil
}

type oauthSession struct {
	smtp.Session
	server *oauthServer
	in     bool
}

func (s *oauthSession) AuthMechanisms() []string { return s.server.offers }

func (s *oauthSession) Auth(string) (sasl.Server, error) { return s, nil }

// Next is the server's side of XOAUTH2, whose refusal is a challenge first.
func (s *oauthSession) Next(response []byte) (challenge []byte, done bool, err error) {
	if len(response) == 0 {
		return nil, false, &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 3}, Message: "Authentication unsuccessful"}
	}
	user, rest, _ := strings.Cut(strings.TrimPrefix(string(response), "user="), "\x01")
	token := strings.TrimRight(strings.TrimPrefix(rest, "auth=Bearer "), "\x01")
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.user, s.server.tried = user, append(s.server.tried, token)
	if slices.Contains(s.server.refuses, token) {
		return []byte(`{"status":"401"}`), false, nil
	}
	s.in = true
	return nil, true, nil
}

func (s *oauthSession) Mail(string, *smtp.MailOptions) error {
	if !s.in {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (*oauthSession) Rcpt(string, *smtp.RcptOptions) error { return nil }

func (*oauthSession) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

func (*oauthSession) Reset()        {}
func (*oauthSession) Logout() error { return nil }

// oauthFixture is a mailer that logs in with tokens.
type oauthFixture struct {
	*fixture
	tokens *tokenServer
	server *oauthServer
}

func setupOAuth(t *testing.T) *oauthFixture {
	t.Helper()
	f := &oauthFixture{fixture: setup(t, mailcatcher.Options{}), tokens: startTokenServer(t), server: &oauthServer{offers: []string{"XOAUTH2"}}}
	server := smtp.NewServer(f.server)
	server.AllowInsecureAuth = true // As on loopback.
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	f.options.Host, f.options.Port, f.options.User = "127.0.0.1", portOf(t, listener), "mailbox@platform.example"
	f.options.OAuth = config.MailOAuth{TokenURL: f.tokens.URL, ClientID: "client", ClientSecret: "s3cret", Scope: "mail.send"}
	return f
}

func sendWith(t *testing.T, m *mail.Mailer) error {
	t.Helper()
	return m.SendWelcome(t.Context(), welcomeMail(testTenant()), patient)
}

func TestMailer_OAuth(t *testing.T) {
	t.Parallel()
	t.Run("KeepsToken", func(t *testing.T) {
		t.Parallel()
		f := setupOAuth(t)
		m := f.mailer(t)
		for range 3 {
			if err := sendWith(t, m); err != nil {
				t.Fatal(err)
			}
		}
		if f.tokens.tokens() != 1 || f.server.user != "mailbox@platform.example" {
			t.Errorf("%d tokens, user %q", f.tokens.tokens(), f.server.user)
		}
	})
	t.Run("NewTokenShortlyBeforeExpiry", func(t *testing.T) {
		t.Parallel()
		f := setupOAuth(t)
		f.tokens.expires = 30
		m := f.mailer(t)
		for range 2 {
			if err := sendWith(t, m); err != nil {
				t.Fatal(err)
			}
		}
		if n := f.tokens.tokens(); n != 2 {
			t.Errorf("%d tokens", n)
		}
	})
	t.Run("NewTokenOnceWhenStoredOneIsRefused", func(t *testing.T) {
		t.Parallel()
		f := setupOAuth(t)
		m := f.mailer(t)
		if err := sendWith(t, m); err != nil {
			t.Fatal(err)
		}
		f.server.mu.Lock()
		f.server.refuses = []string{"token-1"} // It was revoked.
		f.server.mu.Unlock()
		if err := sendWith(t, m); err != nil || f.tokens.tokens() != 2 {
			t.Errorf("%v, %d tokens", err, f.tokens.tokens())
		}
	})
	t.Run("RefusedTokenIsNotTriedOn", func(t *testing.T) {
		t.Parallel()
		f := setupOAuth(t)
		f.server.refuses = []string{"token-1", "token-2"}
		message := wantSettingsError(t, sendWith(t, f.mailer(t)))
		if !strings.Contains(message, "refused the OAuth token (535 5.7.3: Authentication unsuccessful)") || f.tokens.tokens() != 1 {
			t.Errorf("%q, %d tokens", message, f.tokens.tokens())
		}
	})
	t.Run("ServerWithoutXOAUTH2", func(t *testing.T) {
		t.Parallel()
		f := setupOAuth(t)
		f.server.offers = []string{"PLAIN"}
		if message := wantSettingsError(t, sendWith(t, f.mailer(t))); !strings.Contains(message, "offers no OAuth login (XOAUTH2)") {
			t.Error(message)
		}
	})
	t.Run("PasswordForServerWithXOAUTH2Alone", func(t *testing.T) {
		t.Parallel()
		f := setupOAuth(t)
		f.options.OAuth, f.options.Password = config.MailOAuth{}, "secret"
		if message := wantSettingsError(t, sendWith(t, f.mailer(t))); !strings.Contains(message, "set MAIL_OAUTH_TOKEN_URL") {
			t.Error(message)
		}
	})
}

func TestMailer_OAuthTokenServer(t *testing.T) {
	t.Parallel()
	elsewhere := startTokenServer(t)
	for name, c := range map[string]struct {
		reply func(w http.ResponseWriter)
		kind  errs.Kind
		says  string
	}{
		"Refusal": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"invalid_client","error_description":"s3cret of a@b.example\nis wrong`+strings.Repeat(" x", 1000)+`"}`)
		}, errs.KindPermanent, "(401 Unauthorized invalid_client (secret) of (address) is wrong"},
		"Overloaded": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) }, errs.KindTransient, "gave no token"},
		"Down":       {func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, errs.KindTransient, "gave no token"},
		"NoToken":    {func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{}`) }, errs.KindTransient, "gave no token"},
		"Endless": {func(w http.ResponseWriter) { _, _ = io.Copy(w, io.LimitReader(&endless{text: "x"}, 8<<20)) },
			errs.KindTransient, "gave no token"},
		"Redirect": {func(w http.ResponseWriter) {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, errs.KindPermanent, "redirects to another address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setupOAuth(t)
			f.tokens.reply = c.reply
			err := sendWith(t, f.mailer(t))
			message := wantKind(t, err, c.kind)
			if !strings.Contains(message, c.says) || strings.Contains(err.Error(), "s3cret") || len(err.Error()) > 2000 {
				t.Error(err)
			}
		})
	}
	if n := elsewhere.tokens(); n != 0 {
		t.Errorf("%d tokens from the other server", n)
	}
}

// TestMailer_CAFile: own authorities come from a file.
func TestMailer_CAFile(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil)
	defer web.Close()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(&oauthServer{})
	server.TLSConfig = web.TLS
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	o := mail.Options{Mail: config.Mail{
		Host: "127.0.0.1", Port: portOf(t, listener), From: "no-reply@platform.example", TLS: config.TLSMandatory, AppURL: "https://app.platform.example", CAFile: path,
	}}
	m, err := mail.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if message := wantKind(t, sendWith(t, m), errs.KindPermanent); !strings.Contains(message, "530") && !strings.Contains(message, "502") { // It came past TLS.
		t.Error(message)
	}
	o.CAFile = filepath.Join(t.TempDir(), "missing.pem")
	_, err = mail.New(o)
	wantKind(t, err, errs.KindInvalid)
	if err := os.WriteFile(path, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.CAFile = path
	_, err = mail.New(o)
	wantKind(t, err, errs.KindInvalid)
}
