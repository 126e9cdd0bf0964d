//go:build unix

package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// invitationPage is a browser with the page of an invitation.
type invitationPage struct {
	*testServer
	ctx context.Context
	url string // Of the server, or of a proxy before it.
}

func (b *testServer) invitationPage(width int64) *invitationPage {
	return &invitationPage{b, testenv.Browser(b.t, width), b.url}
}

func (p *invitationPage) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatalf("%v; the page shows %q", err, p.text())
	}
}

func (p *invitationPage) text() string {
	p.t.Helper()
	return evaluate[string](p, `document.body.innerText`)
}

func evaluate[T any](p *invitationPage, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Errorf("%s: %v", expression, err)
	}
	return value
}

// open opens the link with a token; "" is one without.
func (p *invitationPage) open(token, view string) {
	p.t.Helper()
	link := p.url + "/invitation"
	if token != "" {
		link += "#invitation=" + token
	}
	p.do(chromedp.Navigate("about:blank"), chromedp.Navigate(link))
	p.want(view)
}

// want waits for a state of the page.
func (p *invitationPage) want(view string) {
	p.t.Helper()
	p.waitFor(fmt.Sprintf(`document.body.dataset.view === %q`, view))
}

// waitFor waits until an expression is true, also across a navigation, which ends chromedp.Poll.
func (p *invitationPage) waitFor(expression string) {
	p.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		found, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](expression))
		if err == nil && found {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s: %t, %v; the page shows %q", expression, found, err, p.text())
		}
		time.Sleep(20 * time.Millisecond) // A page can only be polled.
	}
}

// choose types a password and presses Enter.
func (p *invitationPage) choose(password string) {
	p.t.Helper()
	evaluate[string](p, `document.getElementById("password").value = ""`)
	p.do(chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"))
}

// wantProblem waits for the text about a password.
func (p *invitationPage) wantProblem(text string) {
	p.t.Helper()
	p.waitFor(fmt.Sprintf(`document.getElementById("problem").textContent.includes(%q)`, text))
	if active := evaluate[string](p, `document.activeElement.id + " " + document.activeElement.getAttribute("aria-invalid") + " " + document.activeElement.getAttribute("aria-describedby")`); active != "password true problem hint" {
		p.t.Errorf("the focus is on %s", active)
	}
	if between := evaluate[float64](p, `document.getElementById("problem").getBoundingClientRect().top - document.getElementById("password").getBoundingClientRect().bottom`); between < 0 || between > 16 {
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
		if text := p.text(); !strings.Contains(text, "Choose your password") || !strings.Contains(text, "For Clinic.") || evaluate[string](p, `document.getElementById("email").value`) != "ada@clinic.example" {
			t.Errorf("%q", text)
		}
		p.choose("horse")
		p.wantProblem("too short")
		p.choose("my ADA@clinic.example horse")
		p.wantProblem("must not contain your e-mail address")
		p.choose(strings.Repeat("horse", 60))
		p.wantProblem("too long")
		p.choose("short of 12") // Eleven.
		p.wantProblem("too short")
		evaluate[string](p, `document.getElementById("password").value = "correct horse battery staple\u2028"`) // The page does not know all rules of the server.
		p.do(chromedp.KeyEvent("\r"))
		p.wantProblem("not allowed")
		p.choose(password)
		p.want("done")
		if link := evaluate[string](p, `document.getElementById("link").href`); link != "https://app.platform.example/tenant/"+as[string](made["id"]) {
			t.Errorf("it leads to %s", link)
		}
		if !postgrestest.Verifies(b.passwordHash(made), password) {
			t.Error("the password does not log the admin in")
		}
		p.do(chromedp.Reload())
		p.want("accepted")
		p.do(chromedp.Navigate("about:blank"), chromedp.NavigateBack())
		p.want("accepted")
		if text := p.text(); strings.Contains(text, "Clinic") || strings.Contains(text, "ada@") {
			t.Errorf("a used link shows %q", text)
		}
		b.assertNoPasswords()
	})

	t.Run("ByKeyboard", func(t *testing.T) {
		b, made, token := setupInvited(t, clinic())
		p := b.invitationPage(360)
		p.open(token, "form")
		p.do(chromedp.KeyEvent(password), chromedp.KeyEvent("\t"), chromedp.KeyEvent(" ")) // The focus begins on the password.
		if kind := evaluate[string](p, `document.getElementById("password").type`); kind != "text" {
			t.Errorf("the password is shown as %s", kind)
		}
		p.do(chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r"))
		p.want("done")
		if !postgrestest.Verifies(b.passwordHash(made), password) {
			t.Error("the password does not log the admin in")
		}
	})

	t.Run("DoubleClickAndTwoTabs", func(t *testing.T) {
		b, made, token := setupInvited(t, clinic())
		first, second := b.invitationPage(768), b.invitationPage(768)
		first.open(token, "form")
		second.open(token, "form")
		first.do(chromedp.SendKeys(chromedp.CSS("#password"), password), chromedp.DoubleClick(chromedp.CSS("#submit")))
		first.want("done")
		second.choose(another)
		second.want("accepted")
		if !postgrestest.Verifies(b.passwordHash(made), password) {
			t.Error("the first password does not log the admin in")
		}
	})

	t.Run("Renews", func(t *testing.T) {
		b, _, token := setupInvited(t, clinic())
		b.registry.ExpireInvitations()
		p := b.invitationPage(768)
		p.open(token, "expired")
		p.do(chromedp.DoubleClick(chromedp.CSS("#act")))
		p.want("sent")
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
		if text := p.text(); !strings.Contains(text, "Dieser Link funktioniert nicht") {
			t.Errorf("%q", text)
		}
		p.open(token, "form") // No language is known of the tenant.
		p.setLanguage("fr")
		p.open("", "unknown")
		if text := p.text(); !strings.Contains(text, "This link does not work") {
			t.Errorf("%q", text)
		}
	})

	t.Run("BackFromSignIn", func(t *testing.T) {
		b, _, token := setupInvited(t, clinic())
		p := b.invitationPage(360)
		p.open(token, "form")
		p.choose(password)
		p.want("done")
		if active := p.focus(); active != "title" {
			t.Errorf("the focus is on %q", active)
		}
		evaluate[string](p, `document.getElementById("link").href = "/livez"`) // In place of a host that is not there.
		p.do(chromedp.Click(chromedp.CSS("#link")))
		p.waitFor(`location.pathname === "/livez"`)
		p.do(chromedp.NavigateBack())
		p.want("accepted")
		if evaluate[string](p, `document.getElementById("password").value`) != "" {
			t.Error("the password is still on the page")
		}
	})

	t.Run("WithoutScripts", func(t *testing.T) {
		b, _, token := setupInvited(t, clinic())
		p := b.invitationPage(360)
		p.setScripts(false)
		p.do(chromedp.Navigate(b.url + "/invitation#invitation=" + token))
		if text := p.text(); !strings.Contains(text, "This page needs JavaScript.") || !strings.Contains(text, "benötigt JavaScript") || !strings.Contains(text, "Invitation") || strings.Contains(text, "…") {
			t.Errorf("%q", text)
		}
		p.setScripts(true)
		p.open(token, "form")
		if text := p.text(); strings.Contains(text, "JavaScript") {
			t.Errorf("%q", text)
		}
	})

	t.Run("German", func(t *testing.T) {
		body := clinic()
		body["locale"] = "de-AT"
		b, _, token := setupInvited(t, body)
		p := b.invitationPage(360)
		p.open(token, "form")
		if text := p.text(); !strings.Contains(text, "Wählen Sie Ihr Passwort") || evaluate[string](p, `document.documentElement.lang`) != "de" {
			t.Errorf("%q", text)
		}
		p.choose("Pferd")
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
	if text := evaluate[string](p, `document.getElementById("text").textContent`); !strings.HasPrefix(text, "For "+name+". The invitation is valid until ") || strings.Count(text, "{until}") != 1 {
		t.Errorf("%q", text)
	}
}
