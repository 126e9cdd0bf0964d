package mail_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"", "nobody", "a@b.example\r\nBcc: c@d.example"} {
		_, err := mail.New(mail.Options{Mail: config.Mail{Host: "smtp.example", Port: 587, From: from}})
		wantKind(t, err, errs.KindInvalid)
	}
}

func TestMailer_RejectedMessage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refuse func(*mailcatcher.Catcher)
		kind   errs.Kind
		says   string
	}{
		"RecipientTemporary": {func(c *mailcatcher.Catcher) { c.RejectRecipients(451, "greylisted jane.doe@clinic.example", 1) }, errs.KindTransient, "(451 4.0.0: greylisted (address))"},
		"RecipientPermanent": {func(c *mailcatcher.Catcher) { c.RejectRecipients(550, "no <jane.doe@clinic.example> here", 1) }, errs.KindPermanent, "(550 5.0.0: no <(address)> here)"},
		"ContentTemporary":   {func(c *mailcatcher.Catcher) { c.RejectContent(451, "try later", 1) }, errs.KindTransient, "(451 4.0.0: try later)"},
		"ContentPermanent":   {func(c *mailcatcher.Catcher) { c.RejectContent(554, "spam: #invitation="+invitationToken, 1) }, errs.KindPermanent, "(554 5.0.0: spam: #invitation=(secret))"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, mailcatcher.Options{})
			c.refuse(b.catcher)
			message := wantKind(t, b.sendWelcome(t), c.kind)
			if !strings.Contains(message, c.says) {
				t.Errorf("%q, want %q in it", message, c.says)
			}
			if n := len(b.catcher.Messages()); n != 0 {
				t.Errorf("%d messages were caught", n)
			}
			if err := b.sendWelcome(t); err != nil {
				t.Errorf("the next mail fails too: %v", err)
			}
		})
	}
}

func TestMailer_LostConnection(t *testing.T) {
	t.Parallel()
	t.Run("DroppedAfterAcceptIsUnconfirmed", func(t *testing.T) {
		t.Parallel()
		b := setup(t, mailcatcher.Options{})
		b.catcher.DropConnectionAfterAccept(1)
		if err := b.sendWelcome(t); !errors.Is(err, provisioning.ErrMailUnconfirmed) {
			t.Fatal(err)
		}
		if err := b.sendWelcome(t); err != nil { // As when the admin is invited again.
			t.Fatal(err)
		}
		m := b.catcher.Messages()
		if len(m) != 2 || m[0].MessageID != m[1].MessageID {
			t.Errorf("caught %+v, want two of the same Message-ID", m)
		}
	})
	t.Run("ConnectionRefused", func(t *testing.T) {
		t.Parallel()
		b := setup(t, mailcatcher.Options{})
		if err := b.catcher.Close(); err != nil {
			t.Fatal(err)
		}
		wantKind(t, b.sendWelcome(t), errs.KindTransient)
	})
}

func TestMailer_UnresponsiveServer(t *testing.T) {
	t.Parallel()
	// The server sends nothing: from the greeting on, or after the connection is open.
	for name, o := range map[string]mailcatcher.Options{"Plain": {}, "ImplicitTLS": {TLS: mailcatcher.TLSImplicit}} {
		t.Run(name+"CancelEndsIt", func(t *testing.T) {
			t.Parallel()
			b := setup(t, o)
			defer b.catcher.StopResponding()()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- b.mailer(t).SendWelcome(ctx, welcomeMail(testTenant()), patient) }()
			cancel()
			wantKind(t, awaitResult(t, done), errs.KindCancelled)
		})
		t.Run(name+"TimeoutEndsIt", func(t *testing.T) {
			t.Parallel()
			b := setup(t, o)
			defer b.catcher.StopResponding()()
			b.options.DotTimeout = 50 * time.Millisecond
			wantKind(t, b.sendWelcome(t), errs.KindTransient)
		})
	}
	t.Run("CancelEndsRunningSession", func(t *testing.T) {
		t.Parallel()
		b := setup(t, mailcatcher.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stalled := make(chan struct{})
		b.catcher.OnNextRecipient(func() { b.catcher.StopResponding(); close(stalled) })
		done := make(chan error, 1)
		go func() { done <- b.mailer(t).SendWelcome(ctx, welcomeMail(testTenant()), patient) }()
		<-stalled
		cancel()
		wantKind(t, awaitResult(t, done), errs.KindCancelled)
	})
}

// awaitResult returns the result of done, and fails the test if that takes as long as the
// session's timeout.
func awaitResult(t *testing.T, done <-chan error) error {
	t.Helper()
	ctx, cancel := testContext(t)
	defer cancel()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		t.Fatal("the mailer did not heed its context")
		return nil
	}
}

func TestMailer_TLS(t *testing.T) {
	t.Parallel()
	t.Run("STARTTLS", func(t *testing.T) {
		t.Parallel()
		b := setup(t, mailcatcher.Options{TLS: mailcatcher.TLSStart})
		if err := b.sendWelcome(t); err != nil {
			t.Fatal(err)
		}
		if !b.onlyMessage(t).Encrypted {
			t.Error("the mail went in the clear")
		}
	})
	t.Run("OpportunisticUsesSTARTTLS", func(t *testing.T) {
		t.Parallel()
		b := setup(t, mailcatcher.Options{TLS: mailcatcher.TLSStart})
		b.options.TLS = config.TLSOpportunistic
		if err := b.sendWelcome(t); err != nil || !b.onlyMessage(t).Encrypted {
			t.Errorf("error %v", err)
		}
	})
	t.Run("OpportunisticSendsWithoutSTARTTLS", func(t *testing.T) {
		t.Parallel()
		b := setup(t, mailcatcher.Options{})
		b.options.TLS = config.TLSOpportunistic
		if err := b.sendWelcome(t); err != nil {
			t.Error(err)
		}
	})
	t.Run("MandatoryIsPermanentWithoutSTARTTLS", func(t *testing.T) {
		t.Parallel()
		b := setup(t, mailcatcher.Options{})
		b.options.TLS = config.TLSMandatory
		if message := wantSettingsError(t, b.sendWelcome(t)); !strings.Contains(message, "STARTTLS") {
			t.Errorf("the message does not say why: %q", message)
		}
	})
	for name, mode := range map[string]mailcatcher.TLS{"STARTTLS": mailcatcher.TLSStart, "Implicit": mailcatcher.TLSImplicit} {
		t.Run(name+"UnknownAuthorityIsPermanent", func(t *testing.T) {
			t.Parallel()
			b := setup(t, mailcatcher.Options{TLS: mode})
			b.options.RootCAs, b.options.Implicit = nil, mode == mailcatcher.TLSImplicit
			if message := wantSettingsError(t, b.sendWelcome(t)); !strings.Contains(message, "certificate") {
				t.Errorf("the message does not say why: %q", message)
			}
		})
		t.Run(name+"WrongHostIsPermanent", func(t *testing.T) {
			t.Parallel()
			b := setup(t, mailcatcher.Options{TLS: mode, CertificateHosts: []string{"other.example"}})
			b.options.Implicit = mode == mailcatcher.TLSImplicit
			wantSettingsError(t, b.sendWelcome(t))
		})
	}
	t.Run("Implicit", func(t *testing.T) {
		t.Parallel()
		b := setup(t, mailcatcher.Options{TLS: mailcatcher.TLSImplicit, Username: "u", Password: "p"})
		b.options.Implicit, b.options.User, b.options.Password = true, "u", "p"
		if err := b.sendWelcome(t); err != nil {
			t.Fatal(err)
		}
		if m := b.onlyMessage(t); !m.Encrypted || m.Username != "u" {
			t.Errorf("encrypted %v, user %q", m.Encrypted, m.Username)
		}
	})
}

// wantSettingsError checks that the settings are at fault, and not the mail: it is sent later.
func wantSettingsError(t *testing.T, err error) (message string) {
	t.Helper()
	if !errors.Is(err, provisioning.ErrMailSettings) {
		t.Errorf("%v is not ErrMailSettings", err)
	}
	return wantKind(t, err, errs.KindPermanent)
}

func TestMailer_Login(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		server   mailcatcher.Options
		password config.Secret
		user     string
		fault    string // Part of the message; "" for success.
	}{
		"OverTLS":            {mailcatcher.Options{TLS: mailcatcher.TLSStart, Username: "u", Password: "p"}, "p", "u", ""},
		"OnLoopback":         {mailcatcher.Options{Username: "u", Password: "p"}, "p", "u", ""},
		"WrongPassword":      {mailcatcher.Options{TLS: mailcatcher.TLSStart, Username: "u", Password: "p"}, "q", "u", "refused the login (535 5.7.8: Authentication failed)"},
		"NoCredentials":      {mailcatcher.Options{TLS: mailcatcher.TLSStart, Username: "u", Password: "p"}, "", "", "refused the login (530 5.0.0: Authentication required)"},
		"ServerWithoutLogin": {mailcatcher.Options{TLS: mailcatcher.TLSStart}, "p", "u", "offers no login"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, c.server)
			b.options.User, b.options.Password = c.user, c.password
			err := b.sendWelcome(t)
			if c.fault == "" {
				if err != nil || b.onlyMessage(t).Username != c.user {
					t.Errorf("error %v", err)
				}
				return
			}
			message := wantSettingsError(t, err)
			if !strings.Contains(message, c.fault) || strings.Contains(err.Error(), "q\"") {
				t.Errorf("message %q, want %q in it", message, c.fault)
			}
		})
	}
	t.Run("NeverSendsPasswordUnencrypted", func(t *testing.T) {
		t.Parallel()
		b := setup(t, mailcatcher.Options{Username: "u", Password: "p"})
		b.options.User, b.options.Password, b.options.TLS = "u", "p", config.TLSOpportunistic
		message := wantSettingsError(t, b.sendWelcome(t))
		if !strings.Contains(message, "offers no login method that is safe") {
			t.Errorf("message %q", message)
		}
	})
}
