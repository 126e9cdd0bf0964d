package mail

import (
	"context"
	"errors"
	"net/textproto"
	"slices"
	"strings"

	"github.com/wneessen/go-mail/smtp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// mechanism is a way to log in.
type mechanism struct {
	name     string
	plain    bool // It reveals the password to a reader of the connection.
	newLogin func(user, password, host string) smtp.Auth
}

// mechanisms are tried in this order. NTLM is last: Exchange advertises it beside others,
// also where it accepts none of its logins.
var mechanisms = []mechanism{
	{name: "SCRAM-SHA-256", newLogin: func(user, password, _ string) smtp.Auth { return smtp.ScramSHA256Auth(user, password) }},
	{name: "SCRAM-SHA-1", newLogin: func(user, password, _ string) smtp.Auth { return smtp.ScramSHA1Auth(user, password) }},
	{name: "CRAM-MD5", newLogin: func(user, password, _ string) smtp.Auth { return smtp.CRAMMD5Auth(user, password) }},
	{name: "PLAIN", plain: true, newLogin: func(user, password, host string) smtp.Auth { return smtp.PlainAuth("", user, password, host, true) }},
	{name: "LOGIN", plain: true, newLogin: func(user, password, host string) smtp.Auth { return smtp.LoginAuth(user, password, host, true) }},
	{name: "NTLM", newLogin: func(user, password, _ string) smtp.Auth { return smtp.NTLMAuth(user, password, "") }},
}

// maxLogins is how many mechanisms are tried for one mail: each is a session of its own, and a
// server may lock an account after several refused logins.
const maxLogins = 3

// login logs in with the first mechanism that the server offers and that was not refused.
// With OAuth, that is XOAUTH2 alone.
type login struct {
	smtp.Auth // Of the chosen mechanism.
	options   Options
	tokens    *tokenSource // Nil without OAuth.
	token     string       // The access token that is used.
	fresh     bool         // It was fetched for this login.
	refused   []string     // Mechanisms of earlier connections.
	chosen    string
	more      bool  // The server offers another one.
	err       error // Of the server, to this login.
}

const xoauth2 = "XOAUTH2"

// prepare fetches what the login needs besides the settings.
func (l *login) prepare(ctx context.Context) (err error) {
	if l.tokens != nil {
		l.token, l.fresh, err = l.tokens.get(ctx)
	}
	return err
}

// Start implements smtp.Auth.
func (l *login) Start(server *smtp.ServerInfo) (name string, first []byte, err error) {
	local := l.options.TLS == config.TLSNone && config.Loopback(l.options.Host)
	safe := server.TLS || l.options.Implicit || local
	offers := func(name string) bool {
		return slices.ContainsFunc(server.Auth, func(offered string) bool { return strings.EqualFold(offered, name) })
	}
	if l.tokens != nil {
		if !safe || !offers(xoauth2) {
			return "", nil, errNoXOAUTH2
		}
		l.Auth, l.chosen = smtp.XOAuth2Auth(l.options.User, l.token), xoauth2
		return l.Auth.Start(server)
	}
	known := false
	for _, m := range mechanisms {
		offered := offers(m.name)
		known = known || offered
		if !offered || slices.Contains(l.refused, m.name) || m.plain && !safe {
			continue
		}
		if l.Auth != nil {
			l.more = true
			break
		}
		l.Auth, l.chosen = m.newLogin(l.options.User, l.options.Password.Reveal(), server.Name), m.name
	}
	switch {
	case l.Auth != nil:
		return l.Auth.Start(server)
	case !known && (offers(xoauth2) || offers("OAUTHBEARER")):
		return "", nil, errOnlyOAuth
	}
	return "", nil, errNoLoginMethod
}

// next returns the login for another connection after a refusal, nil when there is none: with
// the next mechanism, or with a new token instead of one that was stored.
func (l *login) next() *login {
	var reply *textproto.Error
	if !errors.As(l.err, &reply) || reply.Code != 535 && reply.Code != 534 && reply.Code != 504 {
		return nil
	}
	if l.tokens != nil {
		if l.tokens.forget(l.token); l.fresh {
			return nil
		}
		return &login{options: l.options, tokens: l.tokens}
	}
	if !l.more || len(l.refused)+1 >= maxLogins {
		return nil
	}
	return &login{options: l.options, refused: append(l.refused, l.chosen)}
}
