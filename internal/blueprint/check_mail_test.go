package blueprint_test

import (
	"bytes"
	"image"
	"image/png"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

const (
	mailText = "Subject: {{.Name}} ist bereit\n\nGuten Tag {{.FirstName}} {{.LastName}},\n{{if .InvitationURL}}{{.InvitationURL}} bis {{.ExpiresAt}}{{else}}{{.TenantURL}}{{end}}\n"
	mailHTML = "<p>Guten Tag {{.FirstName}}</p>\n<a href=\"{{or .InvitationURL .TenantURL}}\">{{.Name}}</a>{{if .LogoURL}}<img src=\"{{.LogoURL}}\">{{end}}\n"
)

// mails makes a blueprint with these files in its folder mail.
func mails(files map[string]string) map[string]string {
	all := map[string]string{}
	for name, content := range files {
		all["mail/"+name] = content
	}
	return all
}

// welcomeMail makes a blueprint with a welcome mail; the forms that are empty are good.
func welcomeMail(textForm, htmlForm string) map[string]string {
	if textForm == "" {
		textForm = mailText
	}
	if htmlForm == "" {
		htmlForm = mailHTML
	}
	return mails(map[string]string{"welcome.txt": textForm, "welcome.html": htmlForm})
}

func picture(t *testing.T, width, height int, noise bool) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	if noise {
		for i := range img.Pix {
			img.Pix[i] = byte(rand.IntN(256)) // Only has to be incompressible.
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestParse_MailTemplates(t *testing.T) {
	t.Parallel()
	wantNone(t, folder(welcomeMail("", "")))
	wantNone(t, folder(welcomeMail(`{{- /* why */ -}}{{if and .Support (not (or .LogoURL .ProductName))}}{{print "a" .Support}}{{else if eq .Locale "de"}}x{{end}}{{.InvitationURL}}{{"}}"}}`, "")))
	wantNone(t, folder(mails(map[string]string{"failure.txt": "{{.Reference}}", "failure.html": "{{.Reference}}", "logo.png": picture(t, 200, 50, false)})))
	link := "\n{{.InvitationURL}}"
	for name, c := range map[string]struct{ text, html, want string }{
		"UnknownField":        {"Hello\n\n{{.Fullname}}" + link, "", "mail/welcome.txt:3: has the unknown field {{.Fullname}}; known are .Subject, .Locale, .Name"},
		"UnreachedField":      {"{{if .Support}}\n{{if not .Support}}{{.Fullname}}{{end}}{{end}}" + link, "", "mail/welcome.txt:2: has the unknown field {{.Fullname}}"},
		"UnknownFieldHTML":    {"", "<p>\n{{.nme}}</p>" + link, "mail/welcome.html:2: has the unknown field {{.nme}}"},
		"FieldOfField":        {"{{.Name.First}}" + link, "", "mail/welcome.txt:1: has the unknown field {{.Name.First}}"},
		"AfterSubject":        {"Subject: x\n\n{{.Fullname}}" + link, "", "mail/welcome.txt:3: has the unknown field"},
		"InSubject":           {"Subject: {{.Fullname}}\n\n" + link, "", "mail/welcome.txt:1: has the unknown field {{.Fullname}}"},
		"SubjectInSubject":    {"Subject: {{.Subject}}\n\n" + link, "", "mail/welcome.txt:1: has the unknown field {{.Subject}}"},
		"SecretInSubject":     {"Subject: {{.InvitationURL}}\n\n" + link, "", "mail/welcome.txt:1: has the unknown field {{.InvitationURL}}"},
		"EmptySubject":        {"Subject: \n\n" + link, "", "mail/welcome.txt:1: has an empty subject"},
		"LongSubject":         {"Subject: " + strings.Repeat("ä", 201) + "\n" + link, "", "mail/welcome.txt:1: has a subject of 201 characters; at most 200"},
		"SubjectOfTwoLines":   {"Subject: {{.Name\n}}\n" + link, "", "mail/welcome.txt:1: is no mail template: unclosed action"},
		"Unclosed":            {"\n{{if .Name}}" + link, "", "mail/welcome.txt:3: is no mail template: unexpected EOF"},
		"EndlessLoop":         {"\n{{range .Name}}x{{end}}" + link, "", "mail/welcome.txt:2: has {{range}}, and no value of a mail is a list"},
		"Number":              {"{{range 1000000000}}x{{end}}" + link, "", "mail/welcome.txt:1: has {{range}}"},
		"Recursion":           {"{{define \"x\"}}{{template \"x\"}}{{end}}" + link, "", "mail/welcome.txt:1: defines the template \"x\""},
		"Template":            {"\n\n{{template \"mail\"}}" + link, "", "mail/welcome.txt:3: has {{template \"mail\"}}; only values"},
		"Block":               {"", "{{block \"x\" .}}y{{end}}" + link, "mail/welcome.html:1: "},
		"With":                {"{{with .Name}}{{.}}{{end}}" + link, "", "mail/welcome.txt:1: has {{with .Name}}"},
		"Variable":            {"{{$x := .Name}}" + link, "", "mail/welcome.txt:1: has {{$x := .Name}} with a variable or |"},
		"Pipe":                {"{{.Name | print}}" + link, "", "mail/welcome.txt:1: has {{.Name | print}} with a variable or |"},
		"Function":            {"{{printf \"%999999s\" .Name}}" + link, "", "mail/welcome.txt:1: is no mail template: function \"printf\" not defined; known are and, or, not, eq, ne and print"},
		"Call":                {"{{call .Name}}" + link, "", "function \"call\" not defined"},
		"WithoutFunction":     {"{{.Name .LastName}}" + link, "", "mail/welcome.txt:1: has {{.Name .LastName}}, where no function comes first"},
		"TooFewArguments":     {"{{not}}" + link, "", "mail/welcome.txt:1: has {{not}} with 0 arguments; not takes 1 to 1"},
		"TooManyArguments":    {"{{eq .Name \"a\" \"b\"}}" + link, "", "with 3 arguments; eq takes 2 to 2"},
		"CompareDifferent":    {"{{eq .Name (not .Name)}}" + link, "", "mail/welcome.txt:1: compares (not .Name); eq and ne compare"},
		"CompareNumber":       {"{{eq .Name 1}}" + link, "", "mail/welcome.txt:1: has {{1}}; write values"},
		"Everything":          {"{{.}}" + link, "", "mail/welcome.txt:1: has {{.}}; write values"},
		"HTMLContext":         {"", link + "<p>\n<a href='{{if .Name}}'{{end}}>", "mail/welcome.html:3: is no mail template: "},
		"HTMLEndsInAttribute": {"", link + "<a href='{{.Name}}", "mail/welcome.html: is no mail template: ends in a non-text context"},
		"NoLink":              {"Welcome {{.Name}}", "", "mail/welcome.txt: has no {{.InvitationURL}}, so that nobody could choose a password"},
		"NoLinkHTML":          {"", "<p>Welcome</p>", "mail/welcome.html: has no {{.InvitationURL}}"},
		"NoLogo":              {"", link + "\n<img src=\"cid:logo.png\">", "mail/welcome.html:3: shows cid:logo.png, and there is no mail/logo.png; add it"},
		"Empty":               {" \n", "", "mail/welcome.txt: is empty; write the mail"},
		"NoUTF8":              {"\xff" + link, "", "mail/welcome.txt: is not valid UTF-8 text; save it"},
		"TooLarge":            {strings.Repeat("x", 256<<10) + link, "", "mail/welcome.txt: has more than 256 kB; shorten it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantProblem(t, folder(welcomeMail(c.text, c.html)), c.want)
		})
	}
}

func TestParse_MailFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"NoHTML":         {map[string]string{"welcome.de.txt": mailText}, "mail/welcome.de.txt: has no HTML form; write mail/welcome.de.html, both are sent"},
		"NoText":         {map[string]string{"reminder.html": mailHTML}, "mail/reminder.html: has no text form; write mail/reminder.txt, both are sent"},
		"OwnLocaleTwice": {map[string]string{"welcome.txt": mailText, "welcome.html": mailHTML, "welcome.EN.html": mailHTML}, "mail/welcome.html: is for the same locale as mail/welcome.EN.html; remove one"},
		"NoPNG":          {map[string]string{"logo.png": "\x89PNG\r\n\x1a\n"}, "mail/logo.png: is no PNG (unexpected EOF); save the picture as PNG"},
		"CutPNG":         {map[string]string{"logo.png": picture(t, 200, 50, true)[:20000]}, "mail/logo.png: is no PNG ("},
		"SVG":            {map[string]string{"logo.png": "<svg/>"}, "mail/logo.png: is no PNG ("},
		"LargePNG":       {map[string]string{"logo.png": picture(t, 400, 400, true)}, "mail/logo.png: has more than 256 kB; give a smaller picture"},
		"ManyPixels":     {map[string]string{"logo.png": picture(t, 5000, 10, false)}, "mail/logo.png: has 5000 × 10 pixels; at most 4096"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantProblem(t, folder(mails(c.files)), c.want)
		})
	}
	// A platform with users of its own invites nobody.
	own := mails(map[string]string{"welcome.txt": "Hello", "welcome.html": "<p>Hello</p>"})
	own["blueprint.yaml"] = head + "extends: none\n"
	wantNone(t, folder(own))
}

func TestBlueprint_MailTemplate(t *testing.T) {
	t.Parallel()
	files := map[string]string{"blueprint.yaml": head + "mail: {locale: fr, product_name: Clinic Cloud}\n"}
	for _, locale := range []string{"", ".de", ".de-AT", ".zh-hant"} {
		maps.Copy(files, mails(map[string]string{"welcome" + locale + ".txt": "Subject: " + locale + "\n" + mailText, "welcome" + locale + ".html": mailHTML}))
	}
	files["mail/welcome.txt"] = mailText
	files["mail/welcome.de.txt"], files["mail/welcome.de-AT.txt"], files["mail/welcome.zh-hant.txt"] = mailText, mailText, mailText
	b, err := blueprint.Parse(folder(files))
	if err != nil {
		t.Fatal(err)
	}
	for locale, want := range map[string]string{
		"de-AT": "de-AT", "DE-at": "de-AT", "de-AT-1996": "de-AT", "de-CH": "de", "de": "de", "": "fr", "en": "fr", "fr-CA": "fr", "zh-Hant-TW": "zh-hant", "zh": "fr", "d": "fr",
	} {
		got, err := b.MailTemplate(blueprint.MailWelcome, locale)
		if err != nil || got == nil || got.Locale != want {
			t.Errorf("for %q: %+v, %v; want %s", locale, got, err, want)
		}
	}
	if got, err := b.MailTemplate(blueprint.MailFailure, "de"); got != nil || err != nil {
		t.Errorf("a mail that the blueprint does not have: %+v, %v", got, err)
	}
}

func TestMailTemplate_Render(t *testing.T) {
	t.Parallel()
	m, err := blueprint.NewMailTemplate("de", []byte(mailText), []byte(mailHTML))
	if err != nil {
		t.Fatal(err)
	}
	data := blueprint.MailData{
		Subject: "not used", Name: "Klinik\r\nBcc: evil@attacker.example\u2028\x00 <b>", FirstName: "Ada", LastName: "Lovelace",
		InvitationURL: "https://app.platform.example/#invitation=x", LogoURL: blueprint.LogoURL,
	}
	got, err := m.Render(data)
	if err != nil || got.Subject != "Klinik Bcc: evil@attacker.example <b> ist bereit" {
		t.Errorf("%q, %v", got.Subject, err)
	}
	if !strings.HasPrefix(got.Text, "Guten Tag Ada Lovelace,\nhttps://app.platform.example/#invitation=x") ||
		!strings.Contains(got.HTML, `<img src="cid:logo.png">`) || strings.Contains(got.HTML, "<b>") {
		t.Errorf("%+v", got)
	}
	if m, err = blueprint.NewMailTemplate("de", []byte("Hallo\n"), []byte("<p lang={{.Locale}}>{{.Subject}}")); err != nil {
		t.Fatal(err)
	}
	if got, err = m.Render(data); err != nil || got != (blueprint.RenderedMail{Subject: "not used", Text: "Hallo\n", HTML: "<p lang=de>not used"}) {
		t.Errorf("%+v, %v", got, err)
	}
}
