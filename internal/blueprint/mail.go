package blueprint

import (
	"bytes"
	html "html/template"
	"io"
	"path"
	"strings"
	text "text/template"
	"unicode"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// MailName is the name of a mail of the product.
type MailName string

// The mails that a blueprint can have.
const (
	MailWelcome  MailName = "welcome"  // At the end of a provisioning, with the invitation.
	MailFailure  MailName = "failure"  // The tenant could not be set up.
	MailReminder MailName = "reminder" // The invitation was not used yet.
)

// MailNames are all mails.
func MailNames() []MailName { return []MailName{MailWelcome, MailFailure, MailReminder} }

// MailData is what a mail template can show: {{.Name}} and so on. Texts are empty where nothing
// else is said.
type MailData struct {
	Subject       string   // Of the mail. Not in the subject itself.
	Locale        string   // Of the template, for the attribute lang.
	Name          string   // The tenant's. Never empty.
	FirstName     string   // The administrator's. Never empty.
	LastName      string   // The administrator's. Never empty.
	TenantURL     string   // The tenant's page. Never empty.
	InvitationURL string   // Where the administrator chooses a password; empty if nobody is invited.
	ExpiresAt     string   // When the invitation ends, such as 2026-08-17 13:04 UTC.
	Reference     string   // The tenant's id. Never empty.
	ProductName   string   // Of the blueprint; empty: none.
	Support       string   // An e-mail address; empty: none.
	LogoURL       html.URL // Of the blueprint's logo.png in the mail; empty: none.
}

// logoFile is the logo of a blueprint's mails.
const logoFile = mailFolder + "/logo.png"

// LogoContentID names the logo among the parts of a mail: its URL there is cid:logo.png.
const LogoContentID = "logo.png"

// LogoURL is the URL of the logo in an HTML mail.
const LogoURL html.URL = "cid:" + LogoContentID

// MailTemplate is one mail in one locale.
type MailTemplate struct {
	Locale  string
	subject *text.Template // Nil: the template has no subject of its own.
	text    *text.Template
	html    *html.Template
}

// RenderedMail is a mail for one tenant.
type RenderedMail struct {
	Subject string // One line, without control characters.
	Text    string
	HTML    string
}

// NewMailTemplate makes a mail of its two forms. The first line of the text can be its subject.
// KindPermanent for templates that Parse would refuse as no templates.
func NewMailTemplate(locale string, textForm, htmlForm []byte) (*MailTemplate, error) {
	const op = "read mail template"
	t := &MailTemplate{Locale: locale}
	subject, body := splitSubject(string(textForm))
	var err error
	if subject != nil {
		if t.subject, err = text.New("subject").Parse(*subject); err != nil {
			return nil, errs.Wrap(err, errs.KindPermanent, op, "the subject of a mail is no template")
		}
	}
	if t.text, err = text.New("text").Parse(body); err != nil {
		return nil, errs.Wrap(err, errs.KindPermanent, op, "the text of a mail is no template")
	}
	if t.html, err = html.New("html").Parse(string(htmlForm)); err != nil {
		return nil, errs.Wrap(err, errs.KindPermanent, op, "the HTML of a mail is no template")
	}
	return t, nil
}

const subjectPrefix = "Subject:"

// splitSubject returns the template of the subject, nil without one, and the text after it.
func splitSubject(form string) (subject *string, body string) {
	first, rest, _ := strings.Cut(form, "\n")
	after, ok := strings.CutPrefix(first, subjectPrefix)
	if !ok {
		return nil, form
	}
	after = strings.TrimSpace(after)
	return &after, strings.TrimPrefix(rest, "\n")
}

// Render fills the template. data.Subject is the subject of a template without one of its own.
func (t *MailTemplate) Render(data MailData) (RenderedMail, error) {
	data.Locale = t.Locale
	var out RenderedMail
	var err error
	if t.subject != nil {
		data.Subject, err = execute(t.subject, data)
	}
	data.Subject = oneLine(data.Subject)
	out.Subject = data.Subject
	if err == nil {
		out.Text, err = execute(t.text, data)
	}
	if err == nil {
		out.HTML, err = execute(t.html, data)
	}
	if err != nil {
		return RenderedMail{}, errs.Wrap(err, errs.KindPermanent, "compose mail", "the mail template is invalid")
	}
	return out, nil
}

func execute(t interface {
	Execute(w io.Writer, data any) error
}, data MailData) (string, error) {
	var b bytes.Buffer
	err := t.Execute(&b, data)
	return b.String(), err
}

// oneLine makes a subject of a text: a line break in it would begin another header, and mail
// programs would decode a word in the form of RFC 2047.
func oneLine(s string) string {
	line := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r)
	}), " ")
	return strings.ReplaceAll(line, "=?", "= ?")
}

// MailTemplate returns a mail in the locale that fits best: the tenant's (de-AT), the same with
// less (de), the blueprint's own. Nil if the blueprint has none of these.
func (b Blueprint) MailTemplate(name MailName, locale string) (*MailTemplate, error) {
	for ; locale != ""; locale = parentLocale(locale) {
		if t, err := b.mailIn(name, locale); t != nil || err != nil {
			return t, err
		}
	}
	return b.mailIn(name, b.Mail.Locale)
}

// parentLocale is a locale without its last part; empty for a language alone.
func parentLocale(locale string) string {
	return locale[:max(strings.LastIndexByte(locale, '-'), 0)]
}

func (b Blueprint) mailIn(name MailName, locale string) (*MailTemplate, error) {
	forms := map[string][]byte{}
	for _, m := range b.Mails {
		if f, ok := b.mailForm(m.File); ok && f.name == name && strings.EqualFold(f.locale, locale) {
			forms[f.ext] = m.Content
			locale = f.locale
		}
	}
	if len(forms) < 2 {
		return nil, nil //nolint:nilnil // There is no such mail, which is no error.
	}
	return NewMailTemplate(locale, forms[".txt"], forms[".html"])
}

// mailForm is what the name of a file says.
type mailForm struct {
	name   MailName
	locale string // The blueprint's, if the name has none.
	ext    string // ".txt" or ".html".
}

// mailForm reads the name of a file of the folder mail. It is false for the logo.
func (b Blueprint) mailForm(file string) (mailForm, bool) {
	match := mailName.FindStringSubmatch(path.Base(file))
	if match == nil {
		return mailForm{}, false
	}
	f := mailForm{MailName(match[1]), match[2], path.Ext(file)}
	if f.locale == "" {
		f.locale = b.Mail.Locale
	}
	return f, true
}

// Logo returns the logo of the mails, a PNG; nil without one.
func (b Blueprint) Logo() []byte {
	for _, m := range b.Mails {
		if m.File == logoFile {
			return m.Content
		}
	}
	return nil
}

// SampleMailData is an example of what a mail of this blueprint can show.
func (b Blueprint) SampleMailData(name MailName) MailData {
	const page = "https://app.platform.example/tenant/01980000-0000-7000-8000-00000000c11c"
	data := MailData{
		Subject: "St. Mary's Clinic", Locale: b.Mail.Locale, Name: "St. Mary's Clinic", FirstName: "Ada", LastName: "Lovelace",
		TenantURL: page, Reference: "01980000-0000-7000-8000-00000000c11c", ProductName: b.Mail.ProductName, Support: b.Mail.Support,
	}
	if name != MailFailure && b.Extends != BaseNone {
		data.InvitationURL, data.ExpiresAt = "https://app.platform.example/invitation#invitation=an-example-of-an-invitation", "2026-08-17 13:04 UTC"
	}
	if b.Logo() != nil {
		data.LogoURL = LogoURL
	}
	return data
}
