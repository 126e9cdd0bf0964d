package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	netmail "net/mail"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// DefaultTimeout is the default limit of one SMTP session.
const DefaultTimeout = 30 * time.Second

// Options are the settings of a Mailer.
type Options struct {
	config.Mail
	Timeout  time.Duration  // Of one SMTP session. Default 30 s.
	RootCAs  *x509.CertPool // Default: the system's.
	Implicit bool           // TLS from the first byte, as always on port 465.
}

// Mailer sends mail through one SMTP server. It is safe for concurrent use.
type Mailer struct {
	options Options
	from    string // The sender, its domain in ASCII.
	domain  string // Of the sender, for Message-IDs.
}

var _ provisioning.Mailer = (*Mailer)(nil)

// New checks the settings; it does not connect. KindInvalid for an invalid sender.
func New(o Options) (*Mailer, error) {
	from, err := netmail.ParseAddress(o.From)
	if err == nil {
		from.Address, err = asciiDomain(from.Address)
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.KindInvalid, "set up mail", "the sender is not an address; correct MAIL_FROM")
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	o.Implicit = o.Implicit || o.Port == 465
	m := &Mailer{options: o, from: from.String(), domain: from.Address[strings.LastIndexByte(from.Address, '@')+1:]}
	if _, err := m.newClient(&connection{}, &login{options: o}); err != nil {
		return nil, errs.Wrap(err, errs.KindInvalid, "set up mail", "the mail settings do not fit together")
	}
	return m, nil
}

// SendWelcome sends the welcome mail with the admin's invitation.
func (m *Mailer) SendWelcome(ctx context.Context, w provisioning.WelcomeMail) error {
	msg, err := m.welcomeMessage(w)
	if err != nil {
		return err
	}
	return m.send(ctx, msg)
}

// SendFailure informs the admin that the set-up failed.
func (m *Mailer) SendFailure(ctx context.Context, f provisioning.FailureMail) error {
	msg, err := m.failureMessage(f)
	if err != nil {
		return err
	}
	return m.send(ctx, msg)
}

func (m *Mailer) newClient(c *connection, l *login) (*gomail.Client, error) {
	o := m.options
	tlsConfig := &tls.Config{ServerName: o.Host, MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs}
	options := []gomail.Option{
		gomail.WithPort(o.Port), gomail.WithTimeout(o.Timeout), gomail.WithTLSConfig(tlsConfig),
		gomail.WithDialContextFunc(c.dial), gomail.WithTLSPolicy(m.tlsPolicy()),
	}
	if o.Implicit {
		c.implicitTLS = tlsConfig
	}
	if o.User != "" {
		options = append(options, gomail.WithSMTPAuthCustom(l))
	}
	return gomail.NewClient(o.Host, options...)
}

func (m *Mailer) tlsPolicy() gomail.TLSPolicy {
	switch {
	case m.options.Implicit:
		return gomail.TLSOpportunistic // The connection is already encrypted; only this policy accepts that.
	case m.options.TLS == config.TLSNone:
		return gomail.NoTLS
	case m.options.TLS == config.TLSOpportunistic:
		return gomail.TLSOpportunistic
	default:
		return gomail.TLSMandatory
	}
}

// send sends a message. A login that is refused is tried with the next mechanism that the
// server offers.
func (m *Mailer) send(ctx context.Context, msg *gomail.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, m.options.Timeout)
	defer cancel()
	l := &login{options: m.options}
	for {
		retry, err := m.sendOnce(ctx, msg, l)
		if !retry {
			return err
		}
		l = &login{options: m.options, refused: append(l.refused, l.chosen)}
	}
}

// sendOnce runs one SMTP session, and reports whether another mechanism may be tried. After
// the server has accepted the message, errors (of QUIT) are ignored.
func (m *Mailer) sendOnce(ctx context.Context, msg *gomail.Msg, l *login) (retry bool, err error) {
	var c connection
	client, err := m.newClient(&c, l)
	if err != nil {
		return false, errs.Wrap(err, errs.KindPermanent, "set up mail", "the mail settings do not fit together")
	}
	stop := context.AfterFunc(ctx, c.close)
	defer c.close()
	defer stop()

	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return l.mayTryNext(err), classify(ctx, err, "connect to mail server")
	}
	err = client.SendWithSMTPClient(conn, msg)
	if msg.IsDelivered() {
		_ = client.CloseWithSMTPClient(conn)
		return false, nil
	}
	return false, classify(ctx, err, "send mail")
}

// classify maps an SMTP error to a kind. The server's text is only logged: it can quote
// addresses.
func classify(ctx context.Context, err error, op string) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return errs.Wrap(cause, errs.KindOf(cause), op, "the mail was not sent within the timeout")
	}
	var (
		sendErr      *gomail.SendError
		protocolErr  *textproto.Error
		authorityErr x509.UnknownAuthorityError
		hostnameErr  x509.HostnameError
		verifyErr    *tls.CertificateVerificationError
	)
	code, status := 0, "" // As in "535 5.7.139".
	switch {
	case errors.As(err, &protocolErr):
		code, status = protocolErr.Code, statusOf(protocolErr.Code, protocolErr.Msg)
	case errors.As(err, &sendErr):
		code, status = sendErr.ErrorCode(), statusOf(sendErr.ErrorCode(), sendErr.EnhancedStatusCode())
	}
	switch {
	case errors.Is(err, errConversationTooLong), strings.Contains(err.Error(), errConversationTooLong.Error()): // The library does not always wrap.
		return errs.Wrap(err, errs.KindTransient, op, "the mail server sends more than a mail server does; check MAIL_HOST and MAIL_PORT")
	case errors.As(err, &authorityErr), errors.As(err, &hostnameErr), errors.As(err, &verifyErr):
		return errs.Wrap(err, errs.KindPermanent, op,
			"the mail server's certificate could not be verified; correct MAIL_HOST or install its authority")
	case strings.Contains(err.Error(), "does not support STARTTLS"): // The library has no type for it.
		return errs.Wrap(err, errs.KindPermanent, op,
			"the mail server offers no STARTTLS; use port 465, another server, or MAIL_TLS=opportunistic")
	case errors.Is(err, errNoLoginMethod), strings.Contains(err.Error(), "does not support SMTP AUTH"):
		return errs.Wrap(err, errs.KindPermanent, op,
			"the mail server offers no login method that is safe on this connection; check MAIL_TLS, or unset MAIL_USER")
	case status == "535 5.7.139" || status == "550 5.7.30": // Microsoft's codes.
		return errs.Wrap(err, errs.KindPermanent, op,
			"the mail server accepts no user name and password (%s): basic authentication is switched off for this account or tenant, which wants OAuth; have it switched on, or use another server", status)
	case code == 535 || code == 534 || code == 530:
		return errs.Wrap(err, errs.KindPermanent, op, "the mail server refused the login (%s); check MAIL_USER and MAIL_PASSWORD", status)
	case code >= 500:
		return errs.Wrap(err, errs.KindPermanent, op, "the mail server refused the message permanently (%s)", status)
	case code >= 400:
		return errs.Wrap(err, errs.KindTransient, op, "the mail server refused the message temporarily (%s)", status)
	}
	return errs.Wrap(err, errs.KindTransient, op, "the mail server does not answer; check MAIL_HOST, MAIL_PORT and MAIL_TLS")
}

// enhancedCode is the status code of RFC 3463 with which many replies begin.
var enhancedCode = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)

// statusOf formats the code of a reply with the enhanced one, if its text begins with one.
func statusOf(code int, text string) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + enhancedCode.FindString(text))
}
