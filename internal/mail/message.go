package mail

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/net/idna"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// mailContent is what one mail says, apart from what all of them say.
type mailContent struct {
	name       blueprint.MailName
	idLabel    string // Its part of the Message-ID.
	tenant     tenant.Tenant
	invitation string    // Empty: nobody is invited.
	expiresAt  time.Time // Of the invitation.
}

func (m *Mailer) welcomeMessage(ctx context.Context, w provisioning.WelcomeMail) (*gomail.Msg, error) {
	name := blueprint.MailWelcome
	if w.Reminder {
		name = blueprint.MailReminder
	}
	return m.compose(ctx, mailContent{name, fmt.Sprintf("%s-%d", name, w.Serial), w.Tenant, w.Invitation, w.ExpiresAt})
}

func (m *Mailer) failureMessage(ctx context.Context, f provisioning.FailureMail) (*gomail.Msg, error) {
	return m.compose(ctx, mailContent{name: blueprint.MailFailure, idLabel: fmt.Sprintf("failure-%d", f.Tenant.Attempt), tenant: f.Tenant})
}

// compose creates a message from the mail of the tenant's blueprint.
func (m *Mailer) compose(ctx context.Context, c mailContent) (*gomail.Msg, error) {
	b, err := m.blueprintOf(ctx, c.tenant.Blueprint)
	if err != nil {
		return nil, err
	}
	template, err := templateFor(b, c.name, c.tenant.Locale)
	if err != nil {
		return nil, err
	}
	mail, err := template.Render(m.mailData(b, c, template.Locale))
	if err != nil {
		return nil, err
	}
	msg, err := m.newMessage(c, b.Mail.ProductName)
	if err != nil {
		return nil, err
	}
	msg.Subject(mail.Subject)
	msg.SetBodyString(gomail.TypeTextPlain, mail.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, mail.HTML)
	if logo := b.Logo(); logo != nil && strings.Contains(mail.HTML, string(blueprint.LogoURL)) {
		err := msg.EmbedReader(blueprint.LogoContentID, bytes.NewReader(logo),
			gomail.WithFileContentID("<"+blueprint.LogoContentID+">"), gomail.WithFileContentType("image/png"))
		if err != nil {
			return nil, errs.Wrap(err, errs.KindPermanent, "compose mail", "the logo cannot be added to the mail")
		}
	}
	return msg, nil
}

// mailData is what the template of a mail can show.
func (m *Mailer) mailData(b blueprint.Blueprint, c mailContent, locale string) blueprint.MailData {
	t := c.tenant
	data := blueprint.MailData{
		Name: t.Name, FirstName: t.AdminFirstName, LastName: t.AdminLastName,
		TenantURL: m.options.AppURL + "/tenant/" + t.ID.String(), Reference: t.ID.String(),
		ProductName: b.Mail.ProductName, Support: b.Mail.Support,
	}
	if c.invitation != "" {
		// In the fragment: browsers do not send it to a server, so it does not appear in logs.
		data.InvitationURL = cmp.Or(m.options.InvitationURL, m.options.AppURL+"/invitation") + "#invitation=" + c.invitation
		data.ExpiresAt = formatExpiry(c.expiresAt, locale)
	}
	if b.Logo() != nil {
		data.LogoURL = blueprint.LogoURL
	}
	data.Subject = productSubject(c.name, data)
	return data
}

// formatExpiry shows a time in English, or in a form that is read in every language.
func formatExpiry(at time.Time, locale string) string {
	if language, _, _ := strings.Cut(locale, "-"); strings.EqualFold(language, productLocale) {
		return at.UTC().Format("2 January 2006 15:04 MST")
	}
	return at.UTC().Format("2006-01-02 15:04 MST")
}

// newMessage creates a message without subject and body.
func (m *Mailer) newMessage(c mailContent, productName string) (*gomail.Msg, error) {
	const op = "compose mail"
	t := c.tenant
	address, err := asciiDomain(t.AdminEmail)
	if err != nil {
		return nil, errs.Wrap(err, errs.KindPermanent, op, "the admin's address has an invalid domain")
	}
	from := m.from
	if productName != "" {
		from.Name = productName
	}
	msg := gomail.NewMsg(gomail.WithCharset(gomail.CharsetUTF8), gomail.WithNoDefaultUserAgent())
	if err := msg.From(from.String()); err != nil {
		return nil, errs.Wrap(err, errs.KindPermanent, op, "the sender's address is not valid; correct the mail settings")
	}
	to := netmail.Address{Name: t.AdminFirstName + " " + t.AdminLastName, Address: address}
	if err := msg.To(to.String()); err != nil {
		return nil, errs.Wrap(err, errs.KindPermanent, op, "the admin's address is not valid")
	}
	msg.SetDateWithValue(time.Now())
	msg.SetMessageIDWithValue(t.ID.String() + "." + c.idLabel + "@" + m.domain)
	// Tells vacation responders and ticket systems not to answer (RFC 3834).
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	return msg, nil
}

// asciiDomain returns the ASCII form of an international domain, which every server
// accepts. A domain that is already ASCII is not changed: some domains in use break the
// rules of international ones.
func asciiDomain(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return "", fmt.Errorf("no @ in the address")
	}
	if !strings.ContainsFunc(address[at:], func(r rune) bool { return r > unicode.MaxASCII }) {
		return address, nil
	}
	domain, err := idna.Lookup.ToASCII(address[at+1:])
	return address[:at+1] + domain, err
}
