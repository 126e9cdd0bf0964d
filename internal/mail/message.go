package mail

import (
	"bytes"
	"embed"
	"fmt"
	html "html/template"
	"io"
	netmail "net/mail"
	"strings"
	text "text/template"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/net/idna"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

//go:embed templates
var templateFiles embed.FS

var (
	textTemplates = text.Must(text.ParseFS(templateFiles, "templates/*.txt"))
	htmlTemplates = html.Must(html.ParseFS(templateFiles, "templates/*.html"))
)

// templateData is the data of the templates.
type templateData struct {
	Subject, Name, FirstName, LastName  string
	TenantURL, InvitationURL, ExpiresAt string
	Reference                           string
}

func (m *Mailer) welcomeMessage(w provisioning.WelcomeMail) (*gomail.Msg, error) {
	c := m.newTemplateData(w.Tenant)
	c.Subject = w.Tenant.Name + " is ready: choose your password"
	// In the fragment: browsers do not send it to a server, so it does not appear in logs.
	c.InvitationURL = c.TenantURL + "#invitation=" + w.Invitation
	c.ExpiresAt = w.ExpiresAt.UTC().Format("2 January 2006 15:04 MST")
	return m.compose("welcome", fmt.Sprintf("welcome-%d", w.Serial), w.Tenant, c)
}

func (m *Mailer) failureMessage(f provisioning.FailureMail) (*gomail.Msg, error) {
	c := m.newTemplateData(f.Tenant)
	c.Subject = f.Tenant.Name + " could not be set up yet"
	return m.compose("failure", fmt.Sprintf("failure-%d", f.Tenant.Attempt), f.Tenant, c)
}

func (m *Mailer) newTemplateData(t tenant.Tenant) templateData {
	return templateData{
		Name: t.Name, FirstName: t.AdminFirstName, LastName: t.AdminLastName,
		TenantURL: m.options.AppURL + "/tenant/" + t.ID.String(), Reference: t.ID.String(),
	}
}

// compose creates a message from a template pair. idLabel is its part of the Message-ID.
func (m *Mailer) compose(template, idLabel string, t tenant.Tenant, c templateData) (*gomail.Msg, error) {
	const op = "compose mail"
	address, err := asciiDomain(t.AdminEmail)
	if err != nil {
		return nil, errs.Wrap(err, errs.KindPermanent, op, "the admin's address has an invalid domain")
	}
	textBody, err := render(textTemplates.Lookup(template+".txt"), c)
	if err != nil {
		return nil, err
	}
	htmlBody, err := render(htmlTemplates.Lookup(template+".html"), c)
	if err != nil {
		return nil, err
	}
	msg := gomail.NewMsg(gomail.WithCharset(gomail.CharsetUTF8), gomail.WithNoDefaultUserAgent())
	if err := msg.From(m.from); err != nil {
		return nil, errs.Wrap(err, errs.KindPermanent, op, "the sender's address is not valid; correct the mail settings")
	}
	to := netmail.Address{Name: t.AdminFirstName + " " + t.AdminLastName, Address: address}
	if err := msg.To(to.String()); err != nil {
		return nil, errs.Wrap(err, errs.KindPermanent, op, "the admin's address is not valid")
	}
	msg.Subject(c.Subject)
	msg.SetDateWithValue(time.Now())
	msg.SetMessageIDWithValue(t.ID.String() + "." + idLabel + "@" + m.domain)
	// Tells vacation responders and ticket systems not to answer (RFC 3834).
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, textBody)
	msg.AddAlternativeString(gomail.TypeTextHTML, htmlBody)
	return msg, nil
}

type executor interface {
	Execute(w io.Writer, data any) error
}

func render(t executor, c templateData) (string, error) {
	var b bytes.Buffer
	if err := t.Execute(&b, c); err != nil {
		return "", errs.Wrap(err, errs.KindPermanent, "compose mail", "the mail template is invalid")
	}
	return b.String(), nil
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
