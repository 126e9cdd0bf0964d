//go:build unix

package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv/pagetest"
)

// setupExample is a server with a live tenant, a platform with the example page, and the token of
// the tenant's mail. Without origins, the server allows the platform's.
func setupExample(t *testing.T, body map[string]any, o serverOptions, origins ...string) (*testServer, *pagetest.Site, map[string]any, string) {
	t.Helper()
	site := pagetest.Serve(t)
	o.CORSOrigins, o.AppURL, o.InvitationURL = origins, site.AppURL(), site.InvitationURL()
	if origins == nil {
		o.CORSOrigins = []string{site.Origin}
	}
	b := setupWith(t, o)
	site.SetAPI(b.url)
	made := b.createActive(body)
	return b, site, made, b.invitationTokens()[0]
}

// TestInvitationExample: the page of examples/invitation works from another origin than the API's.
func TestInvitationExample(t *testing.T) {
	t.Parallel()

	t.Run("ChoosesPassword", func(t *testing.T) {
		b, site, made, token := setupExample(t, clinic(), serverOptions{})
		p := pagetest.Open(t, 768)
		p.Visit(site.Link(token), "form")
		if text := p.Text(); !strings.Contains(text, "Choose your password") || !strings.Contains(text, "For Clinic.") || pagetest.Evaluate[string](p, `document.getElementById("email").value`) != "ada@clinic.example" {
			t.Errorf("%q", text)
		}
		if address := pagetest.Evaluate[string](p, `location.href`); address != site.InvitationURL() {
			t.Errorf("the address bar has %s", address)
		}
		p.Choose("horse")
		p.WantProblem("12 to 256 characters")
		p.Choose("my ADA@clinic.example horse")
		p.WantProblem("has the admin's e-mail address in it") // As the server says it.
		if active := pagetest.Evaluate[string](p, `document.activeElement.id + document.activeElement.getAttribute("aria-invalid")`); active != "passwordtrue" {
			t.Errorf("the focus is on %s", active)
		}
		if text := p.Text(); !strings.Contains(text, "Request: ") {
			t.Errorf("no request id in %q", text)
		}
		p.Choose(password)
		p.WaitFor(fmt.Sprintf(`location.href === %q`, site.AppURL()+"/tenant/"+as[string](made["id"])))
		if !postgrestest.Verifies(b.passwordHash(made), password) {
			t.Error("the password does not log the admin in")
		}
		b.assertNoPasswords(strings.Join(site.Requests(), "\n"))
		if requests := site.Requests(); slices.ContainsFunc(requests, func(r string) bool { return strings.Contains(r, token) }) {
			t.Errorf("the platform's server saw the token: %v", requests)
		}
		p.Visit(site.Link(token), "accepted")
		if text := p.Text(); strings.Contains(text, "Clinic") || strings.Contains(text, "ada@") {
			t.Errorf("a used link shows %q", text)
		}
		p.Do(chromedp.Reload())
		p.Want("unknown") // The token is nowhere any more.
	})
	t.Run("ByKeyboard", func(t *testing.T) {
		b, site, made, token := setupExample(t, clinic(), serverOptions{})
		p := pagetest.Open(t, 360)
		p.Visit(site.Link(token), "form")
		p.Do(chromedp.KeyEvent(password), chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r")) // The focus begins on the password.
		p.WaitFor(`location.pathname.startsWith("/app/")`)
		if !postgrestest.Verifies(b.passwordHash(made), password) {
			t.Error("the password does not log the admin in")
		}
	})
	t.Run("WrongLinks", func(t *testing.T) {
		_, site, _, token := setupExample(t, clinic(), serverOptions{})
		p := pagetest.Open(t, 360)
		p.Visit(site.InvitationURL(), "unknown")
		for _, wrong := range []string{token[:20], strings.Repeat("A", 43), "%00", "<script>"} {
			p.Do(chromedp.Navigate("about:blank"))
			p.Visit(site.Link(wrong), "unknown")
			if text := p.Text(); !strings.Contains(text, "This link does not work") {
				t.Errorf("%q", text)
			}
		}
		p.Visit(site.Link(token), "form") // In the same tab.
	})
	t.Run("Renews", func(t *testing.T) {
		b, site, made, token := setupExample(t, clinic(), serverOptions{})
		b.registry.ExpireInvitations()
		p := pagetest.Open(t, 768)
		p.Visit(site.Link(token), "expired")
		p.Act()
		p.Want("sent")
		tokens := b.invitationTokens()
		if len(tokens) != 2 {
			t.Fatalf("%d mails", len(tokens))
		}
		p.Visit(site.Link(token), "revoked")
		p.Visit(site.Link(tokens[1]), "form")
		p.Choose(password)
		p.WaitFor(`location.pathname.startsWith("/app/")`)
		if !postgrestest.Verifies(b.passwordHash(made), password) {
			t.Error("the password does not log the admin in")
		}
	})
	t.Run("UsedInAnotherTab", func(t *testing.T) {
		b, site, _, token := setupExample(t, clinic(), serverOptions{})
		p := pagetest.Open(t, 768)
		p.Visit(site.Link(token), "form")
		b.accept(token, password).want(200)
		p.Choose(another)
		p.Want("accepted")
	})
	t.Run("ShowsProblems", func(t *testing.T) {
		b, site, made, token := setupExample(t, clinic(), serverOptions{timeouts: api.Timeouts{Work: 5 * time.Second}})
		b.clock.stop()
		p := pagetest.Open(t, 768)
		p.Visit(site.Link(token), "form")
		release := b.registry.LockInvitations()
		p.Choose(password)
		p.WantProblem("Try again in 2 seconds.")
		release()
		p.Choose(password) // The form is still there.
		p.WaitFor(`location.pathname.startsWith("/app/")`)
		if !postgrestest.Verifies(b.passwordHash(made), password) {
			t.Error("the password does not log the admin in")
		}
		for range 10 {
			b.inspect(token)
		}
		p.Visit(site.Link(token), "error")
		if text := p.Text(); !strings.Contains(text, "Too many requests for this invitation") || !strings.Contains(text, "Try again in 6 seconds.") || !strings.Contains(text, "Request: ") {
			t.Errorf("%q", text)
		}
		b.clock.advance(time.Minute)
		p.Act()
		p.Want("accepted")
	})
	for name, origins := range map[string][]string{"WithoutCORSOrigins": {}, "OfAnotherOrigin": {"https://app.platform.example"}} {
		t.Run(name, func(t *testing.T) {
			b, site, _, token := setupExample(t, clinic(), serverOptions{}, origins...)
			p := pagetest.Open(t, 360)
			p.Visit(site.Link(token), "unreachable")
			if text := p.Text(); !strings.Contains(text, "This page cannot reach the service at "+b.url) || strings.Contains(text, "Clinic") {
				t.Errorf("%q", text)
			}
			b.wantStatus(token, "PENDING")
		})
	}
}

// TestInvitationExample_Readable: the page fits each width, in light and dark.
func TestInvitationExample_Readable(t *testing.T) {
	body := clinic()
	body["name"] = "Clinic " + strings.Repeat("W", 80)
	b, site, _, token := setupExample(t, body, serverOptions{})
	b.clock.stop()
	axe := testenv.NewAxe(t)
	for _, width := range testenv.Variants(t, testenv.BrowserWidths...) {
		p, backgrounds := pagetest.Open(t, width), map[string]bool{}
		check := func(state string) {
			t.Helper()
			p.WantAccessible(axe, state)
			found := pagetest.Evaluate[testenv.Contrast](p, testenv.MeasureContrast)
			if found.Lowest < 4.5 || found.Texts < 2 || found.Width > float64(width) {
				t.Errorf("%s at %d px: %+v", state, width, found)
			}
			backgrounds[found.Background] = true
		}
		for _, scheme := range []string{"light", "dark"} {
			testenv.SetColorScheme(t, p.Context, scheme)
			b.clock.advance(time.Minute)
			p.Do(chromedp.Navigate("about:blank"))
			p.Visit(site.InvitationURL(), "unknown")
			check("no token")
			p.Visit(site.Link(token), "form")
			p.Choose("short")
			p.WantProblem("12 to 256")
			check("form")
		}
		if len(backgrounds) != 2 {
			t.Errorf("the page does not follow the scheme: %v", backgrounds)
		}
	}
	b.registry.ExpireInvitations()
	b.clock.advance(time.Minute)
	p := pagetest.Open(t, 360)
	p.Visit(site.Link(token), "expired")
	p.WantAccessible(axe, "expired")
	if found := pagetest.Evaluate[testenv.Contrast](p, testenv.MeasureContrast); found.Lowest < 4.5 || found.Width > 360 {
		t.Errorf("expired: %+v", found)
	}
}
