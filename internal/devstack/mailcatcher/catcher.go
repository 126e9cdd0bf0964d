package mailcatcher

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// TLS is how the SMTP connection is encrypted.
type TLS string

// The encryption modes.
const (
	TLSNone     TLS = ""         // STARTTLS is not offered.
	TLSStart    TLS = "starttls" // Offered; mail is refused without it.
	TLSImplicit TLS = "implicit" // From the first byte.
)

const (
	// DefaultAddr is a free port on loopback.
	DefaultAddr = "127.0.0.1:0"
	// MaxMessageBytes is the maximum size of a message.
	MaxMessageBytes = 32 << 20
	// MaxMessages is how many messages are kept; older ones are dropped.
	MaxMessages = 10_000
)

// Options configure a mail catcher. The zero value works.
type Options struct {
	SMTPAddr string // Default: DefaultAddr.
	HTTPAddr string // Default: DefaultAddr.
	TLS      TLS
	// CertificateHosts are the names and addresses in the generated certificate.
	// Default: localhost, 127.0.0.1 and ::1.
	CertificateHosts []string
	// Certificate is used in place of a generated one.
	Certificate *tls.Certificate
	// Username and Password, if set, are required before any mail is accepted.
	Username, Password string
}

// Catcher is a running mail catcher. Its methods may be called concurrently.
type Catcher struct {
	store  messageStore
	faults faults

	options  Options
	smtp     *smtp.Server
	listener net.Listener // Of smtp.
	smtpAddr *net.TCPAddr
	http     *http.Server
	httpAddr *net.TCPAddr
	roots    *x509.CertPool

	served    sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// Start opens both ports; mail is accepted when it returns. ctx limits only the start.
func Start(ctx context.Context, o Options) (*Catcher, error) {
	c := &Catcher{options: o}
	c.store.changed = make(chan struct{})
	c.faults.init()
	if err := c.start(ctx); err != nil {
		return nil, fmt.Errorf("start mail catcher: %w", errors.Join(err, c.Close()))
	}
	return c, nil
}

func (c *Catcher) start(ctx context.Context) error {
	var config *tls.Config
	switch c.options.TLS {
	case TLSNone:
	case TLSStart, TLSImplicit:
		certificate, err := c.certificate()
		if err != nil {
			return err
		}
		config = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	default:
		return fmt.Errorf("TLS: %q is not one of %q, %q and %q", c.options.TLS, TLSNone, TLSStart, TLSImplicit)
	}
	if err := c.openSMTP(ctx, config); err != nil {
		return err
	}
	return c.openHTTP(ctx)
}

func (c *Catcher) openSMTP(ctx context.Context, config *tls.Config) error {
	listener, addr, err := listen(ctx, c.options.SMTPAddr)
	if err != nil {
		return fmt.Errorf("listen for SMTP: %w", err)
	}
	c.listener, c.smtpAddr = listener, addr
	c.smtp = smtp.NewServer(smtp.BackendFunc(c.newSession))
	c.smtp.Domain = "mailcatcher"
	c.smtp.MaxMessageBytes = MaxMessageBytes
	c.smtp.ReadTimeout, c.smtp.WriteTimeout = 5*time.Minute, time.Minute
	c.smtp.AllowInsecureAuth = c.options.TLS == TLSNone
	c.smtp.ErrorLog = log.New(io.Discard, "", 0) // Clients that disconnect are part of the tests.
	listener = &holdableListener{Listener: listener, faults: &c.faults}
	switch c.options.TLS {
	case TLSNone:
	case TLSStart:
		c.smtp.TLSConfig = config
	case TLSImplicit:
		listener = tls.NewListener(listener, config)
	}
	c.served.Go(func() { _ = c.smtp.Serve(listener) }) // Ends with Close.
	return nil
}

// SMTPHost is the address of the SMTP server.
func (c *Catcher) SMTPHost() string { return c.smtpAddr.IP.String() }

// SMTPPort is the port of the SMTP server.
func (c *Catcher) SMTPPort() int { return c.smtpAddr.Port }

// URL is the URL of the caught mail.
func (c *Catcher) URL() string { return "http://" + c.httpAddr.String() }

// CertPool returns a pool with the catcher's certificate; nil without TLS.
func (c *Catcher) CertPool() *x509.CertPool { return c.roots }

// Close stops both servers and closes their connections. It may be called more than
// once.
func (c *Catcher) Close() error {
	c.closeOnce.Do(func() {
		if c.smtp != nil {
			c.closeErr = c.smtp.Close()
			_ = c.listener.Close() // The server may not have started to use it.
		}
		if c.http != nil {
			c.closeErr = errors.Join(c.closeErr, c.http.Close())
		}
		c.served.Wait()
	})
	return c.closeErr
}

func listen(ctx context.Context, addr string) (net.Listener, *net.TCPAddr, error) {
	if addr == "" {
		addr = DefaultAddr
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	tcpAddr, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return nil, nil, errors.Join(fmt.Errorf("%v is not a TCP address", listener.Addr()), listener.Close())
	}
	return listener, tcpAddr, nil
}
