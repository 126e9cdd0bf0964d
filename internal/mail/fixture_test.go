package mail_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

const invitationToken = "dGhlLWludml0YXRpb24tdG9rZW4"

var tenantID = uuid.MustParse("01980000-0000-7000-8000-00000000c11c")

// patient is the wait of a caller that needs the outcome.
var patient = provisioning.MailWait{Dot: time.Minute, Answer: time.Minute, Total: 2 * time.Minute, Cut: true}

// fixture is an SMTP server, and the settings of a mailer for it.
type fixture struct {
	catcher *mailcatcher.Catcher
	options mail.Options
}

func setup(t *testing.T, o mailcatcher.Options) *fixture {
	t.Helper()
	catcher, err := mailcatcher.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := catcher.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &fixture{catcher: catcher}
	b.options.Mail = config.Mail{
		Host: catcher.SMTPHost(), Port: catcher.SMTPPort(), From: "Platform <no-reply@platform.example>",
		TLS: config.TLSNone, AppURL: "https://app.platform.example",
	}
	if o.TLS != mailcatcher.TLSNone {
		b.options.TLS, b.options.RootCAs = config.TLSMandatory, catcher.CertPool()
	}
	return b
}

func (b *fixture) mailer(t *testing.T) *mail.Mailer {
	t.Helper()
	m, err := mail.New(b.options)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sendWelcome sends the standard welcome mail.
func (b *fixture) sendWelcome(t *testing.T) error {
	t.Helper()
	return b.mailer(t).SendWelcome(t.Context(), welcomeMail(testTenant()), patient)
}

func testTenant() tenant.Tenant {
	return tenant.Tenant{
		ID: tenantID, Name: "St. Mary's Clinic", AdminEmail: "jane.doe@clinic.example",
		AdminFirstName: "Jane", AdminLastName: "Doe", Attempt: 2,
	}
}

func welcomeMail(t tenant.Tenant) provisioning.WelcomeMail {
	return provisioning.WelcomeMail{
		Tenant: t, Invitation: invitationToken, Serial: 1,
		ExpiresAt: time.Date(2026, 8, 17, 15, 4, 5, 0, time.FixedZone("", 2*3600)),
	}
}

// onlyMessage returns the only received message.
func (b *fixture) onlyMessage(t *testing.T) mailcatcher.Message {
	t.Helper()
	messages := b.catcher.Messages()
	if len(messages) != 1 {
		t.Fatalf("%d messages were caught, want 1", len(messages))
	}
	return messages[0]
}

// wantKind checks the error's kind and returns the safe message.
func wantKind(t *testing.T, err error, kind errs.Kind) string {
	t.Helper()
	var typed *errs.Error
	if !errors.As(err, &typed) || typed.Kind != kind {
		t.Fatalf("error %v of kind %q, want %q", err, errs.KindOf(err), kind)
	}
	return errs.SafeMessage(err)
}

// testContext limits a test that must end much sooner.
func testContext(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), 20*time.Second)
}
