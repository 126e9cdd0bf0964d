package mail_test

import (
	"cmp"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

var (
	wrongPassword    = smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 3}, Message: "Authentication unsuccessful"}
	basicSwitchedOff = smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 139}, Message: "Authentication unsuccessful, basic authentication is disabled."}
)

// loginServer is an SMTP server that offers mechanisms, and accepts some of them.
type loginServer struct {
	offers, accepts []string
	refusal         *smtp.SMTPError

	mu    sync.Mutex
	tried []string
}

func (s *loginServer) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &loginSession{server: s}, nil
}

type loginSession struct {
	smtp.Session
	server *loginServer
	in     bool
}

func (s *loginSession) AuthMechanisms() []string { return s.server.offers }

// Auth accepts any password: what is tested is which mechanism is used.
func (s *loginSession) Auth(name string) (sasl.Server, error) {
	s.server.mu.Lock()
	s.server.tried = append(s.server.tried, name)
	s.server.mu.Unlock()
	if !slices.Contains(s.server.accepts, name) {
		return nil, s.server.refusal
	}
	s.in = true
	if name == "LOGIN" {
		return &loginDialogue{}, nil
	}
	return sasl.NewPlainServer(func(_, _, _ string) error { return nil }), nil
}

func (s *loginSession) Mail(string, *smtp.MailOptions) error {
	if !s.in {
		return smtp.ErrAuthRequired
	}
	return &smtp.SMTPError{Code: 451, Message: "logged in"}
}

func (*loginSession) Reset()        {}
func (*loginSession) Logout() error { return nil }

// loginDialogue is the mechanism LOGIN: it asks for user and password.
type loginDialogue struct{ asked int }

func (d *loginDialogue) Next([]byte) (challenge []byte, done bool, err error) {
	d.asked++
	switch d.asked {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		return []byte("Password:"), false, nil
	}
	return nil, true, nil
}

// TestMailer_LoginMechanisms: a mechanism that the server offers and refuses is no reason to
// give up while it offers another one.
func TestMailer_LoginMechanisms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		offers, accepts, tried []string
		refused                bool
		reply                  *smtp.SMTPError // Of a refusal; nil: as of a wrong password.
		says                   string          // With reply.
	}{
		"NTLMFirst":      {offers: []string{"NTLM", "LOGIN"}, accepts: []string{"LOGIN"}, tried: []string{"LOGIN"}},
		"NTLMLast":       {offers: []string{"PLAIN", "NTLM"}, accepts: []string{"PLAIN"}, tried: []string{"PLAIN"}},
		"PLAINRefused":   {offers: []string{"LOGIN", "PLAIN"}, accepts: []string{"LOGIN"}, tried: []string{"PLAIN", "LOGIN"}},
		"CRAMMD5Refused": {offers: []string{"CRAM-MD5", "PLAIN", "LOGIN"}, accepts: []string{"LOGIN"}, tried: []string{"CRAM-MD5", "PLAIN", "LOGIN"}},
		"AllRefused":     {offers: []string{"PLAIN", "LOGIN"}, tried: []string{"PLAIN", "LOGIN"}, refused: true},
		"OAuthWanted":    {offers: []string{"LOGIN"}, tried: []string{"LOGIN"}, reply: &basicSwitchedOff, says: "basic authentication is switched off"},
		"NotMoreThanThree": {offers: []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN"}, accepts: []string{"PLAIN"},
			tried: []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"}, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, mailcatcher.Options{})
			s := &loginServer{offers: c.offers, accepts: c.accepts, refusal: cmp.Or(c.reply, &wrongPassword)}
			server := smtp.NewServer(s)
			server.AllowInsecureAuth = true // As on loopback.
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = server.Serve(listener) }()
			defer func() { _ = server.Close() }()
			o := &b.options
			o.Port = portOf(t, listener)
			o.Host, o.TLS, o.User, o.Password = "127.0.0.1", config.TLSNone, "user", "secret"
			err = b.sendWelcome(t)
			kind, text := errs.KindTransient, "refused the message temporarily (451 4.0.0: logged in)" // It came past the login.
			if c.reply != nil {
				kind, text = errs.KindPermanent, c.says
			}
			if c.refused {
				kind, text = errs.KindPermanent, "refused the login (535 5.7.3: Authentication unsuccessful)"
			}
			if message := wantKind(t, err, kind); !strings.Contains(message, text) {
				t.Error(err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if !slices.Equal(s.tried, c.tried) {
				t.Errorf("tried %q, want %q", s.tried, c.tried)
			}
		})
	}
}
