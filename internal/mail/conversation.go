package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Errors of a server without what is needed.
var (
	errNoSTARTTLS    = errors.New("the server offers no STARTTLS")
	errNoLoginMethod = errors.New("the server offers no SMTP AUTH mechanism that is safe on this connection")
	errOnlyOAuth     = errors.New("the server offers only OAuth")
	errNoXOAUTH2     = errors.New("the server offers no XOAUTH2 that is safe on this connection")
)

// quitTimeout is how long a server may take to answer QUIT, when the outcome is known.
const quitTimeout = 2 * time.Second

// converse has the conversation about a mail and sets its outcome. A login that is refused is
// tried in a new connection, with the next mechanism that the server offers.
func (m *Mailer) converse(ctx context.Context, d *delivery) {
	l := &login{options: m.options, tokens: m.tokens}
	for {
		c := &conversation{Mailer: m, delivery: d, login: l}
		err := c.run(ctx)
		if next := l.next(); err != nil && next != nil && ctx.Err() == nil {
			c.close()
			l = next
			continue
		}
		if err != nil && d.recorded.Load() && !errors.Is(err, provisioning.ErrMailUnconfirmed) {
			// If this is lost, the mail counts as unconfirmed: the safe side.
			_ = d.recordUnanswered(false)
		}
		d.end(err)
		c.quit(err)
		return
	}
}

// conversation is one connection to the mail server.
type conversation struct {
	*Mailer
	*delivery
	login  *login
	conn   net.Conn
	client *smtp.Client
	body   io.WriteCloser // Its Close sends the final dot, and returns the answer.
}

// run sends the mail. The context ends the connection: the library waits for answers without
// one.
func (c *conversation) run(ctx context.Context) error {
	const op = "connect to mail server"
	if err := c.dial(ctx); err != nil {
		return c.classify(ctx, err, op)
	}
	defer context.AfterFunc(ctx, c.close)()
	if err := c.open(ctx); err != nil {
		return c.classify(ctx, err, op)
	}
	if err := c.sendBody(); err != nil {
		return c.classify(ctx, err, "send mail")
	}
	return c.finish(ctx)
}

// dial connects, with TLS from the first byte if that is set.
func (c *conversation) dial(ctx context.Context) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(c.options.Host, strconv.Itoa(c.options.Port)))
	if err != nil {
		return err
	}
	c.conn = &boundedConn{Conn: conn, left: maxConversation}
	return nil
}

func (c *conversation) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: c.options.Host, MinVersion: tls.VersionTLS12, RootCAs: c.options.RootCAs}
}

// open greets the server, encrypts the connection and logs in.
func (c *conversation) open(ctx context.Context) error {
	if err := c.greet(ctx); err != nil {
		return err
	}
	if c.options.User == "" {
		return nil
	}
	if offered, _ := c.client.Extension("AUTH"); !offered {
		return errNoLoginMethod
	}
	if err := c.login.prepare(ctx); err != nil {
		return err
	}
	c.login.err = c.client.Auth(c.login)
	return c.login.err
}

// greet greets the server and encrypts the connection.
func (c *conversation) greet(ctx context.Context) (err error) {
	conn := c.conn
	if c.options.Implicit {
		encrypted := tls.Client(conn, c.tlsConfig())
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return err
		}
		conn = encrypted
	}
	if c.client, err = smtp.NewClient(conn, c.options.Host); err != nil {
		return err
	}
	if err := c.client.Hello(c.localName); err != nil {
		return err
	}
	return c.startTLS()
}

// startTLS encrypts a plain connection, as the settings say.
func (c *conversation) startTLS() error {
	if c.options.Implicit || c.options.TLS == config.TLSNone {
		return nil
	}
	if offered, _ := c.client.Extension("STARTTLS"); !offered {
		if c.options.TLS == config.TLSOpportunistic {
			return nil
		}
		return errNoSTARTTLS
	}
	return c.client.StartTLS(c.tlsConfig())
}

// sendBody sends the mail up to the final dot, which it does not send.
func (c *conversation) sendBody() error {
	from, err := c.msg.GetSender(false)
	if err != nil {
		return err
	}
	to, err := c.msg.GetRecipients()
	if err != nil {
		return err
	}
	if err := c.client.Mail(from); err != nil {
		return err
	}
	for _, recipient := range to {
		if err := c.client.Rcpt(recipient); err != nil {
			return err
		}
	}
	if c.body, err = c.client.Data(); err != nil {
		return err
	}
	_, err = c.msg.WriteTo(c.body)
	return err
}

// finish sends the final dot, if the gate is open, and waits for the answer.
func (c *conversation) finish(ctx context.Context) error {
	ok, err := c.passDot()
	if err != nil {
		if kind := errs.KindOf(err); kind == errs.KindConflict {
			return errs.Wrap(err, kind, "send mail", "the mail was not sent: it is not to be sent any more")
		}
		return errs.Wrap(err, errs.KindTransient, "send mail", "the mail was not sent: the registry does not answer")
	}
	if !ok {
		return notSent(ctx)
	}
	stop := c.recordWhenSlow()
	defer stop()
	_ = c.conn.SetDeadline(time.Now().Add(c.options.AnswerTimeout)) // Fails on a closed connection alone, which the next read notices.
	err = c.body.Close()
	var reply *textproto.Error
	switch isReply := errors.As(err, &reply); {
	case err == nil, isReply && reply.Code/100 == 2:
		return nil
	case isReply && (reply.Code/100 == 4 || reply.Code/100 == 5):
		return c.classify(context.WithoutCancel(ctx), err, "send mail")
	}
	return fmt.Errorf("%w: %w", provisioning.ErrMailUnconfirmed, c.hidden().withoutSecrets(err))
}

// close closes the connection, also during a read or write, which net.Conn permits.
func (c *conversation) close() {
	if c.conn != nil {
		_ = c.conn.Close() // The conversation is over: the error changes nothing.
	}
}

// quit ends the connection, politely after a mail was sent.
func (c *conversation) quit(outcome error) {
	defer c.close()
	if outcome == nil {
		_ = c.conn.SetDeadline(time.Now().Add(quitTimeout))
		_ = c.client.Quit() // The mail is sent: the error changes nothing.
	}
}

// notSent returns why a delivery was cut.
func notSent(ctx context.Context) error { return context.Cause(ctx) }
