package mail

import (
	"context"
	"crypto/x509"
	"io"
	netmail "net/mail"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// The defaults of Options.
const (
	DefaultDotTimeout       = 2 * time.Minute
	DefaultAnswerTimeout    = 10 * time.Minute // RFC 5321, 4.5.3.2.6.
	DefaultMaxConversations = 8
)

// maxMails is how many mails may wait for a sender. Each of them holds a message in memory.
const maxMails = 256

// Options are the settings of a Mailer. Zero values are the defaults.
type Options struct {
	config.Mail
	DotTimeout       time.Duration  // Most of a conversation before the final dot. Default 2 min.
	AnswerTimeout    time.Duration  // How long the answer after the final dot may take. Default 10 min.
	MaxConversations int            // At once. Default 8.
	RootCAs          *x509.CertPool // Default: the system's.
	Implicit         bool           // TLS from the first byte, as always on port 465.
	Blueprints       Blueprints     // Default: every tenant gets the product's mails.
}

// Mailer sends mail through one SMTP server. It is safe for concurrent use.
type Mailer struct {
	options   Options
	from      netmail.Address // The sender, its domain in ASCII.
	domain    string          // Of the sender, for Message-IDs.
	localName string          // Of this host, for EHLO.
	tokens    *tokenSource    // Of OAuth; nil without.
	senders   chan struct{}   // Has a place for each conversation.

	mu      sync.Mutex
	closed  bool
	running map[*delivery]struct{} // Those that wait for a sender, too.
	idle    chan struct{}          // Closed when a closed Mailer has no delivery any more.
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
	if o.RootCAs, err = o.authorities(); err != nil {
		return nil, err
	}
	if o.DotTimeout <= 0 {
		o.DotTimeout = DefaultDotTimeout
	}
	if o.AnswerTimeout <= 0 {
		o.AnswerTimeout = DefaultAnswerTimeout
	}
	if o.MaxConversations <= 0 {
		o.MaxConversations = DefaultMaxConversations
	}
	o.Implicit = o.Implicit || o.Port == 465
	m := &Mailer{
		options: o, from: *from, domain: from.Address[strings.LastIndexByte(from.Address, '@')+1:], localName: "localhost",
		senders: make(chan struct{}, o.MaxConversations), running: map[*delivery]struct{}{}, idle: make(chan struct{}),
	}
	if o.OAuth.TokenURL != "" {
		m.tokens = newTokenSource(o.OAuth)
	}
	if name, err := os.Hostname(); err == nil && name != "" {
		m.localName = name
	}
	return m, nil
}

// maxCAFile is the size of a MAIL_CA_FILE in bytes; that of all public authorities is smaller.
const maxCAFile = 1 << 20

// authorities returns the authorities of the options, the system's if there are none, with
// those of the file.
func (o Options) authorities() (*x509.CertPool, error) {
	if o.CAFile == "" {
		return o.RootCAs, nil
	}
	const op = "set up mail"
	file, err := os.Open(o.CAFile)
	if err != nil {
		return nil, errs.Wrap(err, errs.KindInvalid, op, "MAIL_CA_FILE %q cannot be read; give a PEM file", o.CAFile)
	}
	defer func() { _ = file.Close() }()
	pem, err := io.ReadAll(io.LimitReader(file, maxCAFile))
	if err != nil {
		return nil, errs.Wrap(err, errs.KindInvalid, op, "MAIL_CA_FILE %q cannot be read; give a PEM file", o.CAFile)
	}
	pool := x509.NewCertPool()
	if o.RootCAs != nil {
		pool = o.RootCAs.Clone()
	} else if system, err := x509.SystemCertPool(); err == nil { // Else the system has none.
		pool = system
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errs.Errorf(errs.KindInvalid, op, "MAIL_CA_FILE %q has no certificate; give a PEM file", o.CAFile)
	}
	return pool, nil
}

// SendWelcome sends the welcome mail with the admin's invitation.
func (m *Mailer) SendWelcome(ctx context.Context, w provisioning.WelcomeMail, wait provisioning.MailWait) error {
	msg, err := m.welcomeMessage(ctx, w)
	if err != nil {
		return err
	}
	return m.send(ctx, "welcome", &delivery{msg: msg, wait: wait, secrets: []string{w.Invitation}})
}

// SendFailure informs the admin that the set-up failed.
func (m *Mailer) SendFailure(ctx context.Context, f provisioning.FailureMail, wait provisioning.MailWait) error {
	msg, err := m.failureMessage(ctx, f)
	if err != nil {
		return err
	}
	return m.send(ctx, "failure", &delivery{msg: msg, wait: wait, queue: true})
}

// send hands a mail to a sender, and waits for the outcome as long as the caller can. The span of the mail
// ends with its conversation.
func (m *Mailer) send(ctx context.Context, kind string, d *delivery) error {
	ctx, d.span = tracing.Start(ctx, tracing.Outbound, "send "+kind+" mail", tracing.Server(m.options.Host))
	var conversation context.Context
	conversation, d.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	d.dotSent, d.ended = make(chan struct{}), make(chan struct{})
	if err := m.register(d); err != nil {
		d.cancel(err)
		d.span.End(err)
		return err
	}
	go m.deliver(conversation, d)
	return d.await(ctx)
}

func (m *Mailer) register(d *delivery) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return errStopping
	case len(m.running) >= maxMails:
		return errBusy
	}
	m.running[d] = struct{}{}
	return nil
}

func (m *Mailer) unregister(d *delivery) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.running, d)
	if m.closed && len(m.running) == 0 {
		close(m.idle)
	}
}

// deliver has the conversation about a mail, once a sender is free.
func (m *Mailer) deliver(ctx context.Context, d *delivery) {
	defer m.unregister(d)
	defer d.cancel(nil)
	timer := time.AfterFunc(m.options.DotTimeout, func() { d.cut(errDotTimeout) })
	defer timer.Stop()
	select {
	case m.senders <- struct{}{}:
		d.begin()
		m.converse(ctx, d)
		<-m.senders
	case <-ctx.Done():
		d.end(notSent(ctx))
	}
	d.span.End(d.err)
	if d.goesOn() && d.wait.Ended != nil {
		d.wait.Ended(d.err)
	}
}

// closeGrace is how long Close waits for outcomes to be recorded after its context has ended.
const closeGrace = time.Second

// Close stops the senders: no mail is taken any more, conversations before the final dot end at
// once, and those after it when ctx does. Failure mails, which only a worker sends again, have
// until then as well. It returns when the outcomes were reported.
func (m *Mailer) Close(ctx context.Context) {
	m.mu.Lock()
	if !m.closed {
		m.closed = true
		if len(m.running) == 0 {
			close(m.idle)
		}
	}
	running := make([]*delivery, 0, len(m.running))
	for d := range m.running {
		running = append(running, d)
	}
	m.mu.Unlock()
	for _, d := range running {
		if !d.queue {
			d.cut(errStopping)
		}
	}
	select {
	case <-m.idle:
		return
	case <-ctx.Done():
	}
	for _, d := range running {
		d.cancel(errStopping)
	}
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-m.idle:
	case <-grace.C:
	}
}
