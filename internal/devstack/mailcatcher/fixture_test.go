package mailcatcher_test

import (
	"crypto/tls"
	"net"
	"net/smtp"
	"strconv"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
)

func start(t *testing.T, o mailcatcher.Options) *mailcatcher.Catcher {
	t.Helper()
	c, err := mailcatcher.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func address(c *mailcatcher.Catcher) string {
	return net.JoinHostPort(c.SMTPHost(), strconv.Itoa(c.SMTPPort()))
}

// send sends a message with the standard library's client, which the product does not
// use.
func send(c *mailcatcher.Catcher, auth smtp.Auth, content string) error {
	client, err := smtp.Dial(address(c))
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if offered, _ := client.Extension("STARTTLS"); offered {
		if err := client.StartTLS(&tls.Config{ServerName: c.SMTPHost(), RootCAs: c.CertPool(), MinVersion: tls.VersionTLS12}); err != nil {
			return err
		}
	}
	if auth != nil {
		if err := client.Auth(auth); err != nil {
			return err
		}
	}
	if err := client.Mail("bounce@sender.example"); err != nil {
		return err
	}
	for _, to := range []string{"one@clinic.example", "two@clinic.example"} {
		if err := client.Rcpt(to); err != nil {
			return err
		}
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(content)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return client.Quit()
}

const simpleMessage = "From: Ann <ann@sender.example>\r\nTo: One <one@clinic.example>\r\nSubject: Hello\r\nMessage-ID: <1@sender.example>\r\n\r\nFirst line\r\n.second\r\n"
