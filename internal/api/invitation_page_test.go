//go:build unix

package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv/pagetest"
)

// invitationPage is a browser with the page of an invitation.
type invitationPage struct {
	*testServer
	*pagetest.Page
	url string // Of the server, or of a proxy before it.
}

func (b *testServer) invitationPage(width int64) *invitationPage {
	return &invitationPage{b, pagetest.Open(b.t, width), b.url}
}

// open opens the link with a token; "" is one without.
func (p *invitationPage) open(token, view string) {
	p.t.Helper()
	link := p.url + "/invitation"
	if token != "" {
		link += "#invitation=" + token
	}
	p.Do(chromedp.Navigate("about:blank"), chromedp.Navigate(link))
	p.Want(view)
}

// wantProblem waits for the text about a password, which is below the field that has the focus.
func (p *invitationPage) wantProblem(text string) {
	p.t.Helper()
	p.WantProblem(text)
	if active := pagetest.Evaluate[string](p.Page, `document.activeElement.id + " " + document.activeElement.getAttribute("aria-invalid") + " " + document.activeElement.getAttribute("aria-describedby")`); active != "password true problem hint" {
		p.t.Errorf("the focus is on %s", active)
	}
	if between := pagetest.Evaluate[float64](p.Page, `document.getElementById("problem").getBoundingClientRect().top - document.getElementById("password").getBoundingClientRect().bottom`); between < 0 || between > 16 {
		p.t.Errorf("the message is %v px below the field", between)
	}
}

// setupInvited is a server with a live tenant and the token of its mail.
func setupInvited(t *testing.T, body map[string]any) (*testServer, map[string]any, string) {
	t.Helper()
	b := setupWith(t, serverOptions{Options: api.Options{AppURL: "https://app.platform.example"}})
	made := b.createActive(body)
	return b, made, b.invitationTokens()[0]
}

func TestInvitationPage(t *testing.T) {
	t.Parallel()

	t.Run("ChoosesPassword", func(t *testing.T) {
		b, made, token := setupInvited(t, clinic())
		p := b.invitationPage(768)
		p.open(token, "form")
		if text := p.Text(); !strings.Contains(text, "Choose your password") || !strings.Contains(text, "For Clinic.") || pagetest.Evaluate[string](p.Page, `document.getElementById("email").value`) != "ada@clinic.example" {
			t.Errorf("%q", text)
		}
		p.Choose("horse")
		p.wantProblem("too short")
		p.Choose("my ADA@clinic.example horse")
		p.wantProblem("must not contain your e-mail address")
		p.Choose(strings.Repeat("horse", 60))
		p.wantProblem("too long")
		p.Choose("short of 12") // Eleven.
		p.wantProblem("too short")
		pagetest.Evaluate[string](p.Page, `document.getElementById("password").value = "correct horse battery staple\u2028"`) // The page does not know all rules of the server.
		p.Do(chromedp.KeyEvent("\r"))
		p.wantProblem("not allowed")
		p.Choose(password)
		p.Want("done")
		if link := pagetest.Evaluate[string](p.Page, `document.getElementById("link").href`); link != "https://app.platform.example/tenant/"+as[string](made["id"]) {
			t.Errorf("it leads to %s", link)
		}
		if !postgrestest.Verifies(b.passwordHash(made), password) {
			t.Error("the password does not log the admin in")
		}
		p.Do(chromedp.Reload())
		p.Want("accepted")
		p.Do(chromedp.Navigate("about:blank"), chromedp.NavigateBack())
		p.Want("accepted")
		if text := p.Text(); strings.Contains(text, "Clinic") || strings.Contains(text, "ada@") {
			t.Errorf("a used link shows %q", text)
		}
		b.assertNoPasswords()
	})

	t.Run("ByKeyboard", func(t *testing.T) {
		b, made, token := setupInvited(t, clinic())
		p := b.invitationPage(360)
		p.open(token, "form")
		p.Do(chromedp.KeyEvent(password), chromedp.KeyEvent("\t"), chromedp.KeyEvent(" ")) // The focus begins on the password.
		if kind := pagetest.Evaluate[string](p.Page, `document.getElementById("password").type`); kind != "text" {
			t.Errorf("the password is shown as %s", kind)
		}
		p.Do(chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r"))
		p.Want("done")
		if !postgrestest.Verifies(b.passwordHash(made), password) {
			t.Error("the password does not log the admin in")
		}
	})

	t.Run("DoubleClickAndTwoTabs", func(t *testing.T) {
		b, made, token := setupInvited(t, clinic())
		first, second := b.invitationPage(768), b.invitationPage(768)
		first.open(token, "form")
		second.open(token, "form")
		first.Do(chromedp.SendKeys(chromedp.CSS("#password"), password), chromedp.DoubleClick(chromedp.CSS("#submit")))
		first.Want("done")
		second.Choose(another)
		second.Want("accepted")
		if !postgrestest.Verifies(b.passwordHash(made), password) {
			t.Error("the first password does not log the admin in")
		}
	})

	t.Run("Renews", func(t *testing.T) {
		b, _, token := setupInvited(t, clinic())
		b.registry.ExpireInvitations()
		p := b.invitationPage(768)
		p.open(token, "expired")
		p.Do(chromedp.DoubleClick(chromedp.CSS("#act")))
		p.Want("sent")
		tokens := b.invitationTokens()
		if len(tokens) != 2 {
			t.Fatalf("%d mails", len(tokens))
		}
		p.open(token, "revoked")
		p.open(tokens[1], "form")
	})

	t.Run("WrongLinks", func(t *testing.T) {
		b, _, token := setupInvited(t, clinic())
		p := b.invitationPage(360)
		p.open("", "unknown")
		p.open(token[:20], "unknown")
		p.open(strings.Repeat("A", 43), "unknown")
		p.open(token, "form")
		p.setLanguage("de-CH,de")
		p.open("", "unknown")
		if text := p.Text(); !strings.Contains(text, "Dieser Link funktioniert nicht") {
			t.Errorf("%q", text)
		}
		p.open(token, "form") // No language is known of the tenant.
		p.setLanguage("fr")
		p.open("", "unknown")
		if text := p.Text(); !strings.Contains(text, "This link does not work") {
			t.Errorf("%q", text)
		}
	})

	t.Run("BackFromSignIn", func(t *testing.T) {
		b, _, token := setupInvited(t, clinic())
		p := b.invitationPage(360)
		p.open(token, "form")
		p.Choose(password)
		p.Want("done")
		if active := p.focus(); active != "title" {
			t.Errorf("the focus is on %q", active)
		}
		pagetest.Evaluate[string](p.Page, `document.getElementById("link").href = "/livez"`) // In place of a host that is not there.
		p.Do(chromedp.Click(chromedp.CSS("#link")))
		p.WaitFor(`location.pathname === "/livez"`)
		p.Do(chromedp.NavigateBack())
		p.Want("accepted")
		if pagetest.Evaluate[string](p.Page, `document.getElementById("password").value`) != "" {
			t.Error("the password is still on the page")
		}
	})

	t.Run("WithoutScripts", func(t *testing.T) {
		b, _, token := setupInvited(t, clinic())
		p := b.invitationPage(360)
		p.setScripts(false)
		p.Do(chromedp.Navigate(b.url + "/invitation#invitation=" + token))
		if text := p.Text(); !strings.Contains(text, "This page needs JavaScript.") || !strings.Contains(text, "benötigt JavaScript") || !strings.Contains(text, "Invitation") || strings.Contains(text, "…") {
			t.Errorf("%q", text)
		}
		p.setScripts(true)
		p.open(token, "form")
		if text := p.Text(); strings.Contains(text, "JavaScript") {
			t.Errorf("%q", text)
		}
	})

	t.Run("German", func(t *testing.T) {
		body := clinic()
		body["locale"] = "de-AT"
		b, _, token := setupInvited(t, body)
		p := b.invitationPage(360)
		p.open(token, "form")
		if text := p.Text(); !strings.Contains(text, "Wählen Sie Ihr Passwort") || pagetest.Evaluate[string](p.Page, `document.documentElement.lang`) != "de" {
			t.Errorf("%q", text)
		}
		p.Choose("Pferd")
		p.wantProblem("mindestens 12 Zeichen")
	})
}

// TestInvitationPage_Headers: the page loads nothing from elsewhere, cannot be framed, and sends no
// address of its own on.
func TestInvitationPage_Headers(t *testing.T) {
	b := setup(t)
	got := b.do(http.MethodGet, "/invitation", nil, "Authorization", "").want(http.StatusOK)
	policy := got.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'sha256-", "style-src 'sha256-", "connect-src 'self'", "frame-ancestors 'none'", "form-action 'none'", "img-src data:"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%q lacks %s", policy, want)
		}
	}
	if got.header.Get("Referrer-Policy") != "no-referrer" || got.header.Get("Cache-Control") != "no-store" || strings.Contains(got.text, "http://") || strings.Contains(got.text, "https://") {
		t.Errorf("%v", got.header)
	}
	b.do(http.MethodPost, "/invitation", nil).want(http.StatusMethodNotAllowed)
}

func TestInvitationPage_OwnPage(t *testing.T) {
	b := setupWith(t, serverOptions{Options: api.Options{InvitationURL: "https://app.platform.example/welcome"}})
	// Of mails from before: a browser keeps the fragment.
	if got := b.do(http.MethodGet, "/invitation", nil).want(http.StatusFound); got.header.Get("Location") != "https://app.platform.example/welcome" {
		t.Errorf("%v", got.header)
	}
}

// TestInvitationPage_ShowsNamesAsTheyAre: a name is neither markup nor a pattern of the page.
func TestInvitationPage_ShowsNamesAsTheyAre(t *testing.T) {
	const name = "</script><b>A</b> $& $' $$ {until} {tenant}"
	b, _, token := setupInvited(t, clinicNamed(name))
	p := b.invitationPage(360)
	p.open(token, "form")
	if text := pagetest.Evaluate[string](p.Page, `document.getElementById("text").textContent`); !strings.HasPrefix(text, "For "+name+". The invitation is valid until ") || strings.Count(text, "{until}") != 1 {
		t.Errorf("%q", text)
	}
}
