package mail

import (
	"errors"
	"net/textproto"
	"slices"
	"strings"

	"github.com/wneessen/go-mail/smtp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// errNoLoginMethod is the error of a server that offers no mechanism that can be used.
var errNoLoginMethod = errors.New("the server offers no SMTP AUTH mechanism that is safe on this connection")

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
type login struct {
	smtp.Auth // Of the chosen mechanism.
	options   Options
	refused   []string // Mechanisms of earlier sessions.
	chosen    string
	more      bool // The server offers another one.
}

// Start implements smtp.Auth.
func (l *login) Start(server *smtp.ServerInfo) (name string, first []byte, err error) {
	encrypted := server.TLS || l.options.Implicit
	local := l.options.TLS == config.TLSNone && config.Loopback(l.options.Host)
	for _, m := range mechanisms {
		offered := slices.ContainsFunc(server.Auth, func(name string) bool { return strings.EqualFold(name, m.name) })
		if !offered || slices.Contains(l.refused, m.name) || m.plain && !encrypted && !local {
			continue
		}
		if l.Auth != nil {
			l.more = true
			break
		}
		l.Auth, l.chosen = m.newLogin(l.options.User, l.options.Password.Reveal(), server.Name), m.name
	}
	if l.Auth == nil {
		return "", nil, errNoLoginMethod
	}
	return l.Auth.Start(server)
}

// mayTryNext reports whether err is the refusal of a mechanism, and another one is left.
func (l *login) mayTryNext(err error) bool {
	var refusal *textproto.Error
	return l.more && len(l.refused)+1 < maxLogins && errors.As(err, &refusal) && (refusal.Code == 535 || refusal.Code == 534 || refusal.Code == 504)
}
