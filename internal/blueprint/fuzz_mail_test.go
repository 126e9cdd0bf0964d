package blueprint_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

// FuzzMailTemplate: a template that Parse accepts renders whatever is empty, with a subject of
// one line, and does not grow beyond what its values have.
func FuzzMailTemplate(f *testing.F) {
	for _, seed := range []string{
		mailText, "Subject: {{print .Name \"\\n\"}}\n{{.InvitationURL}}", "{{if eq .Locale \"de\"}}{{not .Name}}{{else if ne .Name .LogoURL}}{{or .Support .LogoURL}}{{end}}{{.InvitationURL}}",
		"{{and (print .Name (or .Support .Locale)) .InvitationURL}}", "{{range .Name}}{{end}}", "{{define \"text\"}}{{template \"text\"}}{{end}}", "{{.Name | print}}", "Subject:\n",
	} {
		f.Add(seed, mailHTML)
		f.Add(mailText, seed)
	}
	f.Fuzz(func(t *testing.T, textForm, htmlForm string) {
		b, err := blueprint.Parse(folder(welcomeMail(textForm, htmlForm)))
		if err != nil {
			return
		}
		m, err := b.MailTemplate(blueprint.MailWelcome, "")
		if err != nil || m == nil {
			t.Fatalf("%q, %q: %+v, %v", textForm, htmlForm, m, err)
		}
		for set := range 16 {
			data := b.SampleMailData(blueprint.MailWelcome)
			data.Name = "Klinik\r\nBcc: x\u2028"
			optional := func(bit int, value string) string {
				if set&bit == 0 {
					return ""
				}
				return value
			}
			data.InvitationURL, data.ExpiresAt = optional(1, "https://app.platform.example/#x"), optional(1, "2026-08-17")
			data.Support, data.ProductName = optional(2, "help@clinic.example"), optional(4, "Cloud")
			if set&8 != 0 {
				data.LogoURL = blueprint.LogoURL
			}
			got, err := m.Render(data)
			if err != nil {
				t.Fatalf("%q, %q: %v", textForm, htmlForm, err)
			}
			if strings.ContainsAny(got.Subject, "\r\n\x00\u2028") || strings.Contains(got.Subject, "=?") {
				t.Errorf("subject %q", got.Subject)
			}
			if most := 1000 * (1 + len(textForm) + len(htmlForm) + len(mailText) + len(mailHTML)); len(got.Text)+len(got.HTML) > most {
				t.Errorf("%d bytes of %q and %q", len(got.Text)+len(got.HTML), textForm, htmlForm)
			}
		}
	})
}
