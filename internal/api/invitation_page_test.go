//go:build unix

package api_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
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
}

func (b *testServer) invitationPage(width int64) *invitationPage {
	return &invitationPage{b, testenv.Browser(b.t, width)}
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
		p.wantProblem("must not contain your address")
		evaluate[string](p, `document.getElementById("password").value = "correct horse battery staple\u2028"`) // The page does not know all rules of the server.
		p.do(chromedp.KeyEvent("\r"))
		p.wantProblem("not allowed")
		if active := evaluate[string](p, `document.activeElement.id + document.activeElement.getAttribute("aria-invalid")`); active != "passwordtrue" {
			t.Errorf("the focus is on %s", active)
		}
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

// TestInvitationPage_Readable: each state of the page fits each width, in light and dark, also with
// the longest name.
func TestInvitationPage_Readable(t *testing.T) {
	body := clinic()
	body["name"] = "Clinic " + strings.Repeat("W", 80)
	body["adminEmail"] = strings.Repeat("a", 60) + "@" + strings.Repeat("b", 60) + ".example"
	b, _, token := setupInvited(t, body)
	b.clock.stop()
	states := []struct{ view, token string }{{"form", token}, {"unknown", ""}}
	check := func(p *invitationPage, width int64, scheme, view string) string {
		found := evaluate[testenv.Contrast](p, testenv.MeasureContrast)
		if found.Lowest < 4.5 || found.Texts < 2 || found.Width > float64(width) {
			t.Errorf("%s, %s, at %d px: %+v", view, scheme, width, found)
		}
		p.screenshot(fmt.Sprintf("%s-%s-%d", view, scheme, width))
		return found.Background
	}
	for _, width := range testenv.BrowserWidths {
		p, backgrounds := b.invitationPage(width), map[string]string{}
		for _, scheme := range []string{"light", "dark"} {
			testenv.SetColorScheme(t, p.ctx, scheme)
			for _, s := range states {
				b.clock.advance(time.Minute)
				p.open(s.token, s.view)
				backgrounds[scheme] = check(p, width, scheme, s.view)
			}
			p.open(token, "form")
			p.choose("short")
			p.wantProblem("too short")
			check(p, width, scheme, "problem")
		}
		if backgrounds["light"] == backgrounds["dark"] {
			t.Errorf("the page does not follow the scheme: %v", backgrounds)
		}
	}
	b.registry.ExpireInvitations()
	p := b.invitationPage(360)
	b.clock.advance(time.Minute)
	p.open(token, "expired")
	check(p, 360, "light", "expired")
}

// screenshot writes a picture of the page where SCREENSHOTS names a folder.
func (p *invitationPage) screenshot(name string) {
	p.t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	image, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), image, 0o600)
	}
	if err != nil {
		p.t.Error(err)
	}
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
	b := setupWith(t, serverOptions{Options: api.Options{OwnInvitationPage: true}})
	b.do(http.MethodGet, "/invitation", nil).want(http.StatusNotFound)
}
