package mail_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail/mailtest"
)

func TestMailer_Check(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		server  mailcatcher.Options
		prepare func(*fixture)
		want    string // Empty: it works.
	}{
		"Plain":            {},
		"STARTTLS":         {server: mailcatcher.Options{TLS: mailcatcher.TLSStart}},
		"NoLogin":          {prepare: func(b *fixture) { b.options.User, b.options.Password = "platform", "wrong-password" }}, // It does not log in.
		"Down":             {prepare: func(b *fixture) { b.options.Port = 1 }, want: "the mail server does not answer"},
		"MandatoryTLS":     {prepare: func(b *fixture) { b.options.TLS = config.TLSMandatory }, want: "offers no STARTTLS"},
		"UnknownAuthority": {server: mailcatcher.Options{TLS: mailcatcher.TLSStart}, prepare: func(b *fixture) { b.options.RootCAs = nil }, want: "certificate could not be verified"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, c.server)
			if c.prepare != nil {
				c.prepare(b)
			}
			err := b.mailer(t).Check(t.Context())
			if got := errs.SafeMessage(err); (err == nil) != (c.want == "") || err != nil && !strings.Contains(got, c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if len(b.catcher.Messages()) != 0 {
				t.Error("a check sent a mail")
			}
		})
	}
}

// TestMailer_Check_Bounded: a server that does not greet holds a check no longer than its context.
func TestMailer_Check_Bounded(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t)
	release := make(chan struct{})
	defer close(release)
	server.At(mailtest.Greeting, server.Hang(release))
	b := setup(t, mailcatcher.Options{})
	b.options.Port = server.Port()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := b.mailer(t).Check(ctx); err == nil {
		t.Error("a server that says nothing works")
	}
}
