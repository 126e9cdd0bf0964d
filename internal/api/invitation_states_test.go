//go:build unix

package api_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv/pagetest"
)

// pageStates leads a page through its states, in an order in which each can follow the one before.
type pageStates struct {
	*invitationPage
	language      string
	proxy         *invitationProxy
	first, second string // Tokens of two tenants.
	release       func() // Ends a request that is held.
}

// invitationState is a state of the page.
type invitationState struct {
	name string // As in the names of its pictures.
	show func(s *pageStates)
}

// The languages and schemes of all pictures.
var (
	pageLanguages = []string{"en", "de"}
	pageSchemes   = []string{"light", "dark"}
)

// pictures are the names of a state's pictures.
func (s invitationState) pictures() (names []string) {
	for _, language := range pageLanguages {
		for _, scheme := range pageSchemes {
			for _, width := range testenv.BrowserWidths {
				names = append(names, s.picture(language, scheme, width))
			}
		}
	}
	return names
}

func (s invitationState) picture(language, scheme string, width int64) string {
	return fmt.Sprintf("%s-%s-%s-%d", s.name, language, scheme, width)
}

var invitationStates = []invitationState{
	{"without-scripts", func(s *pageStates) {
		s.setScripts(false)
		s.Do(chromedp.Navigate("about:blank"), chromedp.Navigate(s.url+"/invitation"))
		// axe-core needs scripts, and with scripts the browser hides the element noscript.
		pagetest.Evaluate[bool](s.Page, `document.querySelector("noscript").replaceWith(...document.querySelector("noscript").childNodes) || true`)
		s.setScripts(true)
	}},
	{"unknown", func(s *pageStates) { s.open("", "unknown") }},
	{"loading", func(s *pageStates) {
		s.hold("inspect")
		s.open(s.first, "loading")
	}},
	{"busy", func(s *pageStates) {
		s.proxy.fail("inspect", answering(http.StatusTooManyRequests, "42"))
		s.open(s.first, "busy")
	}},
	{"away", func(s *pageStates) {
		s.proxy.fail("inspect", noAnswer)
		s.open(s.first, "away")
	}},
	{"unavailable", func(s *pageStates) {
		s.proxy.fail("inspect", answering(http.StatusServiceUnavailable, "2"))
		s.open(s.first, "unavailable")
	}},
	{"form", func(s *pageStates) {
		s.proxy.fail("inspect", nil)
		s.open(s.first, "form")
	}},
	{"too-short", func(s *pageStates) { s.Choose("horse"); s.problem() }},
	{"too-long", func(s *pageStates) { s.Choose(strings.Repeat("horse", 60)); s.problem() }},
	{"address", func(s *pageStates) { s.Choose("my ada@clinic.example horse"); s.problem() }},
	{"refused", func(s *pageStates) {
		pagetest.Evaluate[string](s.Page, `document.getElementById("password").value = "correct horse battery staple\u2028"`)
		s.Do(chromedp.KeyEvent("\r"))
		s.problem()
	}},
	{"shown", func(s *pageStates) { s.Choose("horse"); s.Do(chromedp.Click(chromedp.CSS("#show"))) }},
	{"form-busy", func(s *pageStates) {
		s.proxy.fail("accept", answering(http.StatusTooManyRequests, "42"))
		s.Choose(password)
		s.notice()
	}},
	{"form-away", func(s *pageStates) { s.proxy.fail("accept", noAnswer); s.Choose(password); s.notice() }},
	{"setting", func(s *pageStates) {
		s.hold("accept")
		s.Choose(password)
		s.WaitFor(`document.getElementById("progress").textContent !== ""`)
	}},
	{"slow", func(s *pageStates) { pagetest.Evaluate[bool](s.Page, `slow() || true`) }},
	{"done", func(s *pageStates) { s.release(); s.Want("done") }},
	{"accepted", func(s *pageStates) { s.open(s.first, "accepted") }},
	{"expired", func(s *pageStates) { s.registry.ExpireInvitations(); s.open(s.second, "expired") }},
	{"renewing", func(s *pageStates) {
		s.hold("renew")
		s.Do(chromedp.Click(chromedp.CSS("#act")))
		s.WaitFor(`document.getElementById("progress").textContent !== ""`)
	}},
	{"sent", func(s *pageStates) { s.release(); s.Want("sent") }},
	{"revoked", func(s *pageStates) { s.open(s.second, "revoked") }},
	{"pending", func(s *pageStates) { s.renewLast(451); s.Want("pending") }},
	{"failed", func(s *pageStates) { s.renewLast(554); s.Want("failed") }},
}

// hold lets an operation wait for release.
func (s *pageStates) hold(operation string) {
	s.proxy.fail(operation, nil)
	fault, release := s.proxy.held()
	s.proxy.fail(operation, fault)
	s.release = release
	s.t.Cleanup(release)
}

func (s *pageStates) problem() {
	s.WaitFor(`document.getElementById("problem").textContent !== ""`)
}

func (s *pageStates) notice() {
	s.WaitFor(`document.getElementById("notice").textContent !== ""`)
}

// renewLast renews the newest invitation, after it has expired, while the mail server refuses mail.
func (s *pageStates) renewLast(code int) {
	s.mail.RejectRecipients(code, "not now", 0)
	token := s.invite(fmt.Sprintf("Clinic %d", code))
	s.registry.ExpireInvitations()
	s.open(token, "expired")
	s.mail.RejectRecipients(code, "not now", -1)
	s.proxy.fail("renew", nil)
	s.Do(chromedp.Click(chromedp.CSS("#act")))
}

// invite creates a tenant, and returns the token of its mail.
func (s *pageStates) invite(name string) string {
	s.t.Helper()
	body := clinicNamed(name)
	body["locale"], body["blueprint"] = s.language, "clinic"
	s.createActive(body)
	tokens := s.invitationTokens()
	return tokens[len(tokens)-1]
}

// setupStates is a page of a platform with a name and a logo of its own, in a language.
func setupStates(t *testing.T, language string) *pageStates {
	t.Helper()
	b := setupWith(t, serverOptions{Options: api.Options{AppURL: "https://app.platform.example"}})
	b.clock.stop()
	files := clinicBlueprint(patients)
	files["blueprint.yaml"].Data = append(files["blueprint.yaml"].Data, "mail: {product_name: Clinic Cloud, support: help@clinic.example}\n"...)
	logo, err := os.ReadFile("../../examples/blueprints/clinic/mail/logo.png")
	if err != nil {
		t.Fatal(err)
	}
	files["mail/logo.png"] = &fstest.MapFile{Data: logo}
	postgrestest.PublishBlueprint(t, b.db, files)
	s := &pageStates{invitationPage: b.invitationPage(testenv.BrowserWidths[0]), language: language, proxy: b.behindProxy()}
	s.url = s.proxy.url
	s.first, s.second = s.invite("St. Mary’s Clinic"), s.invite("Lakeside Clinic")
	s.setLanguage(language)
	// The text about a slow answer comes when the test calls slow.
	const source = `{
		const timer = setTimeout
		window.setTimeout = (run, after) => after === 5000 ? (window.slow = run, 0) : timer(run, after)
	}`
	if _, err := chromedp.Call(s.Context, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: source}); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestInvitationPage_States: axe-core finds no violation in any state of the page, each text can be
// read, and the page fits each width, in light and dark, in each language. "make screenshots" writes
// the pictures of the guides; with SCREENSHOTS=<folder>, also one of each state.
func TestInvitationPage_States(t *testing.T) {
	t.Parallel()
	for _, language := range testenv.Variants(t, pageLanguages...) {
		t.Run(language, func(t *testing.T) {
			axe, s, backgrounds := testenv.NewAxe(t), setupStates(t, language), map[string]string{}
			widths := testenv.Variants(t, testenv.BrowserWidths...)
			for _, state := range invitationStates {
				s.clock.advance(time.Minute) // The limits of requests.
				state.show(s)
				s.wantTexts(state.name)
				for _, scheme := range pageSchemes {
					testenv.SetColorScheme(t, s.Context, scheme)
					for _, width := range widths {
						name := state.picture(language, scheme, width)
						s.Do(chromedp.EmulateViewport(width, 900))
						backgrounds[scheme] = s.wantReadable(name, width)
						if width == widths[0] { // No rule of the page's style depends on the width.
							s.WantAccessible(axe, name)
						}
						s.picture(name)
					}
				}
			}
			if backgrounds["light"] == backgrounds["dark"] {
				t.Errorf("the page does not follow the scheme: %v", backgrounds)
			}
		})
	}
}

// TestInvitationPage_LongNames: the longest names and addresses fit the narrowest page.
func TestInvitationPage_LongNames(t *testing.T) {
	body := clinic()
	body["name"] = "Clinic " + strings.Repeat("W", 80)
	body["adminEmail"] = strings.Repeat("a", 60) + "@" + strings.Repeat("b", 60) + ".example"
	b, _, token := setupInvited(t, body)
	p := b.invitationPage(360)
	p.open(token, "form")
	p.wantReadable("form", 360)
	b.registry.ExpireInvitations()
	p.open(token, "expired")
	p.wantReadable("expired", 360)
}

// wantTexts fails the test where a text is missing or not filled in, or where the page has more
// than one first heading.
func (s *pageStates) wantTexts(name string) {
	s.t.Helper()
	text := s.Text()
	for _, bad := range []string{"{", "undefined", "null", "Invalid", "NaN"} {
		if strings.Contains(text, bad) {
			s.t.Errorf("%s: %q has %q", name, text, bad)
		}
	}
	if name == "without-scripts" {
		return
	}
	if language := pagetest.Evaluate[string](s.Page, `document.documentElement.lang`); language != s.language {
		s.t.Errorf("%s: the language is %q", name, language)
	}
	if !pagetest.Evaluate[bool](s.Page, `document.querySelectorAll("h1").length === 1 && document.title.startsWith(document.querySelector("h1").innerText) && document.querySelector("h1").innerText.length > 5`) {
		s.t.Errorf("%s: the title is not the heading: %q", name, text)
	}
}

// wantReadable fails the test unless each text stands out and the page fits its width. It returns
// the background.
func (p *invitationPage) wantReadable(name string, width int64) string {
	p.t.Helper()
	found := pagetest.Evaluate[testenv.Contrast](p.Page, testenv.MeasureContrast)
	if found.Lowest < 4.5 || found.Texts < 1 || found.Width > float64(width) {
		p.t.Errorf("%s: %+v", name, found)
	}
	return found.Background
}
