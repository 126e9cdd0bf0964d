package mail_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"image"
	"image/png"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// blueprints are active blueprints by name.
type blueprints map[string]blueprint.Blueprint

func (b blueprints) MailBlueprint(_ context.Context, name string) (blueprint.Blueprint, error) {
	found, ok := b[name]
	if !ok {
		return found, errs.Errorf(errs.KindTransient, "read blueprint", "the registry does not answer")
	}
	return found, nil
}

// welcomeIn returns the two files of a welcome mail.
func welcomeIn(locale, greeting string) map[string]string {
	if locale != "" {
		locale = "." + locale
	}
	return map[string]string{
		"mail/welcome" + locale + ".txt":  "Subject: " + greeting + ": {{.Name}}\n\n" + greeting + " {{.FirstName}} bei {{.ProductName}} ({{.Support}})\n\n{{.InvitationURL}}\n{{.ExpiresAt}}\n",
		"mail/welcome" + locale + ".html": "<html lang=\"{{.Locale}}\"><title>{{.Subject}}</title><img src=\"{{.LogoURL}}\" alt=\"\"><p>" + greeting + " {{.FirstName}}</p><a href=\"{{.InvitationURL}}\">x</a></html>\n",
	}
}

func logo(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 120, 40))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// parseBlueprint makes the blueprint clinic of files.
func parseBlueprint(t *testing.T, settings string, files ...map[string]string) blueprint.Blueprint {
	t.Helper()
	folder := fstest.MapFS{"blueprint.yaml": {Data: []byte("apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: clinic\n" + settings)}}
	for _, some := range files {
		for name, content := range some {
			folder[name] = &fstest.MapFile{Data: []byte(content)}
		}
	}
	b, err := blueprint.Parse(folder)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const clinicCloud = "mail: {product_name: Clínica Cloud, support: help@clinic.example, locale: de}\n"

func TestMailer_BlueprintMail(t *testing.T) {
	t.Parallel()
	b, picture := setup(t, mailcatcher.Options{}), logo(t)
	b.options.Blueprints = blueprints{"clinic": parseBlueprint(t, clinicCloud, welcomeIn("", "Grüß Gott"), map[string]string{"mail/logo.png": string(picture)})}
	to := testTenant()
	to.Blueprint, to.Locale = "clinic", "de-AT"
	if err := b.mailer(t).SendWelcome(t.Context(), welcomeMail(to), patient); err != nil {
		t.Fatal(err)
	}
	m := b.onlyMessage(t)
	if want := []string{"multipart/related", "multipart/alternative", "text/plain", "text/html", "image/png"}; !slices.Equal(m.Types, want) {
		t.Errorf("types %v, want %v", m.Types, want)
	}
	for name, c := range map[string][2]string{
		"from":       {m.From, "no-reply@platform.example"},
		"from name":  {m.FromName, "Clínica Cloud"},
		"subject":    {m.Subject, "Grüß Gott: St. Mary's Clinic"},
		"message id": {m.MessageID, tenantID.String() + ".welcome-1@platform.example"},
		"auto":       {strings.Join(m.Headers["Auto-Submitted"], " "), "auto-generated"},
		"problem":    {m.ParseError, ""},
	} {
		if c[0] != c[1] {
			t.Errorf("%s is %q, want %q", name, c[0], c[1])
		}
	}
	link := "https://app.platform.example/invitation#invitation=" + invitationToken
	if want := "Grüß Gott Jane bei Clínica Cloud (help@clinic.example)\n\n" + link + "\n2026-08-17 13:04 UTC\n"; strings.TrimSpace(m.Text) != strings.TrimSpace(want) {
		t.Errorf("text %q", m.Text)
	}
	for _, want := range []string{`<html lang="de">`, "<title>Grüß Gott: St. Mary&#39;s Clinic</title>", `<img src="cid:logo.png" alt="">`, `href="` + link + `"`} {
		if !strings.Contains(m.HTML, want) {
			t.Errorf("the HTML lacks %q:\n%s", want, m.HTML)
		}
	}
	unfolded := strings.ReplaceAll(m.Raw, "\r\n", "")
	for _, want := range []string{"Content-ID: <logo.png>", "Content-Disposition: inline", base64.StdEncoding.EncodeToString(picture)} {
		if !strings.Contains(strings.ToLower(unfolded), strings.ToLower(want)) {
			t.Errorf("the message lacks %q:\n%s", want, m.Raw)
		}
	}
}

// TestMailer_Locale: the tenant's locale, its language, the blueprint's locale, the product.
func TestMailer_Locale(t *testing.T) {
	t.Parallel()
	all := map[string]string{}
	for locale, greeting := range map[string]string{"de-AT": "Servus", "de": "Hallo", "": "Bonjour"} {
		maps.Copy(all, welcomeIn(locale, greeting))
	}
	full := parseBlueprint(t, "mail: {locale: fr}\n", all)
	for name, c := range map[string]struct {
		blueprint blueprint.Blueprint
		locale    string
		subject   string
	}{
		"Exact":         {full, "de-AT", "Servus: St. Mary's Clinic"},
		"OtherCase":     {full, "DE-at", "Servus: St. Mary's Clinic"},
		"Language":      {full, "de-CH", "Hallo: St. Mary's Clinic"},
		"Blueprint":     {full, "it", "Bonjour: St. Mary's Clinic"},
		"None":          {full, "", "Bonjour: St. Mary's Clinic"},
		"Product":       {parseBlueprint(t, "", welcomeIn("de", "Hallo")), "it", "St. Mary's Clinic is ready: choose your password"},
		"WithoutMails":  {parseBlueprint(t, ""), "de", "St. Mary's Clinic is ready: choose your password"},
		"OtherMailOnly": {parseBlueprint(t, "", map[string]string{"mail/failure.txt": "x", "mail/failure.html": "x"}), "de", "St. Mary's Clinic is ready: choose your password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, mailcatcher.Options{})
			b.options.Blueprints = blueprints{"clinic": c.blueprint}
			to := testTenant()
			to.Blueprint, to.Locale = "clinic", c.locale
			if err := b.mailer(t).SendWelcome(t.Context(), welcomeMail(to), patient); err != nil {
				t.Fatal(err)
			}
			if m := b.onlyMessage(t); m.Subject != c.subject || m.FromName != "Platform" {
				t.Errorf("subject %q from %q, want %q", m.Subject, m.FromName, c.subject)
			}
		})
	}
}

// TestMailer_ProductMailOfBlueprint: the product's own mails have the blueprint's product name,
// support address and logo.
func TestMailer_ProductMailOfBlueprint(t *testing.T) {
	t.Parallel()
	b := setup(t, mailcatcher.Options{})
	b.options.Blueprints = blueprints{"clinic": parseBlueprint(t, clinicCloud, map[string]string{"mail/logo.png": string(logo(t))})}
	to := testTenant()
	to.Blueprint = "clinic"
	own := welcomeMail(to)
	own.Invitation = ""
	m := b.mailer(t)
	for _, err := range []error{
		m.SendWelcome(t.Context(), welcomeMail(to), patient), m.SendWelcome(t.Context(), own, patient), m.SendFailure(t.Context(), provisioning.FailureMail{Tenant: to}, patient),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	messages := b.catcher.Messages()
	if len(messages) != 3 {
		t.Fatalf("%d messages", len(messages))
	}
	for _, got := range messages {
		if got.FromName != "Clínica Cloud" || !slices.Contains(got.Types, "image/png") || !strings.Contains(got.HTML, `<img src="cid:logo.png" alt="Clínica Cloud"`) {
			t.Errorf("from %q, types %v\n%s", got.FromName, got.Types, got.HTML)
		}
		for _, body := range []string{got.Text, got.HTML} {
			if !strings.Contains(body, "on Clínica Cloud") || !strings.Contains(body, "help@clinic.example") || strings.Contains(body, "the platform") {
				t.Errorf("the mail does not name the product and its support:\n%s", body)
			}
		}
	}
}

// TestMailer_BlueprintSubjectIsOneLine: no value can add a header.
func TestMailer_BlueprintSubjectIsOneLine(t *testing.T) {
	t.Parallel()
	for name, hostile := range map[string]string{
		"HeaderInjection": "x\r\nBcc: evil@attacker.example\r\n\r\nbody", "LineFeed": "x\nBcc: evil@attacker.example",
		"Separator": "x\u2028Bcc: evil@attacker.example", "Template": "{{.InvitationURL}}", "Encoded": "=?utf-8?q?x=0D=0ABcc:_evil@attacker.example?=",
		"Long": strings.Repeat("č", 255),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, mailcatcher.Options{})
			b.options.Blueprints = blueprints{"clinic": parseBlueprint(t, clinicCloud, welcomeIn("", "Hallo"))}
			to := testTenant()
			to.Blueprint, to.Name = "clinic", hostile
			if err := b.mailer(t).SendWelcome(t.Context(), welcomeMail(to), patient); err != nil {
				t.Fatal(err)
			}
			m := b.onlyMessage(t)
			if _, injected := m.Headers["Bcc"]; injected || m.ParseError != "" || !slices.Equal(m.To, []string{to.AdminEmail}) {
				t.Errorf("problem %q, to %q:\n%s", m.ParseError, m.To, m.Raw)
			}
			if want := "Hallo: " + strings.ReplaceAll(strings.Join(strings.Fields(hostile), " "), "=?", "= ?"); m.Subject != want || strings.Contains(m.Subject, invitationToken) {
				t.Errorf("subject %q, want %q", m.Subject, want)
			}
		})
	}
}

// TestMailer_BlueprintUnreadable: the error of the registry says whether to try again, and
// nothing is sent.
func TestMailer_BlueprintUnreadable(t *testing.T) {
	t.Parallel()
	b := setup(t, mailcatcher.Options{})
	b.options.Blueprints = blueprints{}
	to := testTenant()
	to.Blueprint = "clinic"
	message := wantKind(t, b.mailer(t).SendWelcome(t.Context(), welcomeMail(to), patient), errs.KindTransient)
	if !strings.Contains(message, "the mails of the blueprint clinic cannot be read: the registry does not answer") || len(b.catcher.Messages()) != 0 {
		t.Error(message)
	}
	to.Blueprint = blueprint.StandardName // Needs no registry.
	if err := b.mailer(t).SendWelcome(t.Context(), welcomeMail(to), patient); err != nil {
		t.Error(err)
	}
}

// TestMailer_BlueprintHangs: a registry that does not answer holds no run.
func TestMailer_BlueprintHangs(t *testing.T) {
	t.Parallel()
	b := setup(t, mailcatcher.Options{})
	b.options.Blueprints = hanging{}
	to := testTenant()
	to.Blueprint = "clinic"
	begin := time.Now()
	wantKind(t, b.mailer(t).SendWelcome(t.Context(), welcomeMail(to), patient), errs.KindTransient)
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("it took %v", took)
	}
}

type hanging struct{}

func (hanging) MailBlueprint(ctx context.Context, _ string) (blueprint.Blueprint, error) {
	<-ctx.Done()
	return blueprint.Blueprint{}, ctx.Err()
}

func TestPreview(t *testing.T) {
	t.Parallel()
	b := parseBlueprint(t, clinicCloud, welcomeIn("", "Hallo"))
	got, err := mail.Preview(b, blueprint.MailWelcome, "de-AT")
	if err != nil || got.Subject != "Hallo: St. Mary's Clinic" || !strings.Contains(got.Text, "2026-08-17 13:04 UTC") || !strings.Contains(got.HTML, `lang="de"`) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = mail.Preview(b, blueprint.MailFailure, "de"); err != nil || got.Subject != "St. Mary's Clinic could not be set up yet" || !strings.Contains(got.Text, "on Clínica Cloud") {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = mail.Preview(b, blueprint.MailReminder, ""); err != nil || got.Subject != "St. Mary's Clinic: your invitation ends soon" || !strings.Contains(got.Text, "on Clínica Cloud") || !strings.Contains(got.HTML, "#invitation=") {
		t.Errorf("%+v, %v", got, err)
	}
}
