//go:build unix

package console_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv/pagetest"
)

// retype replaces what is in a field.
func (b *browser) retype(id, text string) {
	b.t.Helper()
	pagetest.Evaluate[string](b.Page, `document.getElementById("`+id+`").value = ""`)
	b.fill(id, text)
}

// value is what is in a field.
func (b *browser) value(id string) string {
	b.t.Helper()
	return pagetest.Evaluate[string](b.Page, `document.getElementById("`+id+`").value`)
}

// keys presses keys, wherever the focus is.
func (b *browser) keys(keys string) {
	b.t.Helper()
	b.Do(chromedp.KeyEvent(keys))
}

// slash presses the key / in one event, as a keyboard does: the page can take it before it is a character.
func (b *browser) slash() {
	b.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		event := input.DispatchKeyEventParams{Type: kind, Key: "/", Code: "Slash", WindowsVirtualKeyCode: 191}
		if kind == input.DispatchKeyEventTypeKeyDown {
			event.Text = "/"
		}
		if _, err := chromedp.Call(b.Context, input.DispatchKeyEvent, event); err != nil {
			b.t.Fatal(err)
		}
	}
}

// tabTo presses Tab until the focus is on what has a text or an id.
func (b *browser) tabTo(text string) {
	b.t.Helper()
	for range 80 {
		b.keys(kb.Tab)
		if pagetest.Evaluate[bool](b.Page, `document.activeElement.id === "`+text+`" || document.activeElement.textContent.trim() === "`+text+`"`) {
			if !pagetest.Evaluate[bool](b.Page, `document.activeElement.matches(":focus-visible") && getComputedStyle(document.activeElement).outlineStyle !== "none"`) {
				b.t.Errorf("nobody sees that the focus is on %q", text)
			}
			return
		}
	}
	b.t.Fatalf("Tab does not lead to %q; the page shows %q", text, b.Text())
}

func TestConsole_TwoPeople(t *testing.T) {
	s := setup(t)
	id := s.active("Shared Clinic")
	first, second := s.signedIn(1280, s.key), s.signedIn(1280, s.createKey("Grace", "tenants:write"))
	t.Run("SecondEditIsToldAndKept", func(t *testing.T) {
		for _, b := range []*browser{first, second} {
			b.visit("/console/tenants/" + id + "/edit")
		}
		first.retype("adminFirstName", "Augusta")
		first.press("Save")
		first.see("The change is saved.")

		second.retype("adminLastName", "Byron")
		second.fill("metadata", "ward=7")
		second.press("Save")
		second.see("has changed the tenant meanwhile.")
		second.see("Augusta")
		if name, metadata := second.value("adminLastName"), second.value("metadata"); name != "Byron" || metadata != "ward=7" {
			t.Errorf("the form has lost what was typed: %q, %q", name, metadata)
		}
		if found := s.call(http.MethodGet, "/admin/tenants/"+id, nil); found["adminLastName"] != "Lovelace" {
			t.Errorf("the stale form has changed the tenant to %v", found["adminLastName"])
		}
		second.retype("adminFirstName", "Augusta")
		second.press("Save")
		second.see("The change is saved.")
		if found := s.call(http.MethodGet, "/admin/tenants/"+id, nil); found["adminFirstName"] != "Augusta" || found["adminLastName"] != "Byron" {
			t.Errorf("the tenant is of %v %v", found["adminFirstName"], found["adminLastName"])
		}
		second.violations.expect(t, "412")
	})
	t.Run("SecondMoveGetsTheReason", func(t *testing.T) {
		for _, b := range []*browser{first, second} {
			b.visit("/console/tenants/" + id)
			b.press("Archive")
			b.WaitFor(`document.querySelector("dialog[open] button") !== null`)
		}
		first.press("Cancel")
		first.press("Set legal hold")
		first.fill("reason", "Case 2026-18")
		first.press("Set legal hold")
		first.see("The legal hold is set.")
		first.move("Archive")
		first.see("The tenant is archived.")
		second.press("Archive") // In the dialog that is open: it is archived already, and stays so.
		second.see("The tenant is archived.")
		second.see("Case 2026-18")
		second.move("Unarchive")
		second.see("The tenant is in service again.")
		first.visit("/console/tenants/" + id)
		first.press("Invite again")
		first.WaitFor(`document.querySelector("dialog[open] button") !== null`)
		second.move("Suspend")
		second.see("The tenant is suspended.")
		first.press("Invite again")
		first.WaitFor(`document.querySelector("[role=alert]")?.textContent.includes("SUSPENDED")`)
		first.violations.expect(t, "409")
	})
}

// TestConsole_SessionEndsWhileTyping: the key is revoked while its person fills in forms.
func TestConsole_SessionEndsWhileTyping(t *testing.T) {
	s := setup(t)
	id := s.active("Clinic")
	key := s.createKey("Leaver", "tenants:write")
	b, other := s.signedIn(1280, key), s.signedIn(1280, key)
	b.visit("/console/tenants/new")
	b.fill("name", "Half a Clinic")
	b.fill("adminEmail", "ada@clinic.example")
	b.fill("adminFirstName", "Ada")
	b.see("Administrator's e-mail")
	other.visit("/console/tenants/" + id)
	s.registry().RevokeKey("Leaver")
	before := s.registry().State()
	// The check while one types finds it out: this one, or that of the fields before, which a slow server gets late.
	pagetest.Evaluate[bool](b.Page, `(() => {
		const field = document.getElementById("adminLastName")
		if (field === null) return true
		field.value = "Lovelace"
		return field.dispatchEvent(new Event("input", {bubbles: true}))
	})()`)
	b.WaitFor(`location.pathname === "/console/sign-in"`)
	b.see("Your session has ended.")
	other.press("Suspend") // As does the dialog.
	other.WaitFor(`location.pathname === "/console/sign-in"`)
	other.see("Your session has ended.")
	s.wantState(before)
	b.violations.expect(t, "401")
	other.violations.drop()

	other.fill("key", s.key+"\r")
	other.WaitFor(`location.pathname === "/console/tenants/` + id + `"`)
}

func TestConsole_Keyboard(t *testing.T) {
	s := setup(t)
	id := s.active("Keyboard Clinic")
	b := s.open(1280)
	b.visit("/console/sign-in")
	b.tabTo("key")
	b.keys(s.key + kb.Enter)
	b.WaitFor(`location.pathname === "/console"`)
	b.WaitFor(`document.readyState === "complete"`)
	b.keys(kb.Tab)
	b.WaitFor(`document.activeElement.textContent === "Skip to content" && document.activeElement.getBoundingClientRect().top >= 0`)
	b.keys(kb.Enter)
	b.WaitFor(`document.activeElement.id === "main"`)

	b.slash()
	b.WaitFor(`document.activeElement.id === "command"`)
	b.keys("plat")
	b.WaitFor(`document.querySelector("#command-list [aria-selected=true]")?.textContent === "Platform"`)
	b.keys(kb.ArrowDown)
	b.WaitFor(`document.querySelector("#command-list [aria-selected=true]")?.textContent.includes("plat")`)
	b.keys(kb.Escape)
	b.WaitFor(`document.querySelector("dialog[open]") === null`)
	b.slash()
	b.WaitFor(`document.activeElement.id === "command" && document.activeElement.value === ""`)
	b.keys("keyboard" + kb.Enter)
	b.WaitFor(`location.pathname === "/console/tenants" && document.readyState === "complete"`)
	b.tabTo("Keyboard Clinic")
	b.keys(kb.Enter)
	b.WaitFor(`location.pathname === "/console/tenants/` + id + `" && document.readyState === "complete"`)

	b.tabTo("Suspend")
	b.keys(kb.Enter)
	b.WaitFor(`document.querySelector("dialog[open]")?.contains(document.activeElement)`)
	b.slash() // The menu does not open over a dialog.
	b.keys(kb.Escape)
	b.WaitFor(`document.querySelector("dialog[open]") === null && document.activeElement.textContent === "Suspend"`)
	b.keys(kb.Enter)
	b.WaitFor(`document.activeElement.matches("dialog[open] button")`)
	b.keys(kb.Enter)
	b.see("The tenant is suspended.")
}

func TestConsole_Language(t *testing.T) {
	s := setup(t)
	s.active("Clinic")
	b := s.open(1280)
	if _, err := chromedp.Call(b.Context, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}}); err != nil {
		t.Fatal(err)
	}
	b.signIn(s.key)
	wantLanguage := func(language string) {
		t.Helper()
		b.WaitFor(`document.documentElement.lang === "` + language + `"`)
	}
	wantLanguage("de")
	b.visit("/console/tenants?status=ACTIVE")
	wantLanguage("de")
	b.Do(chromedp.Click(chromedp.CSS(".menu summary")))
	b.press("English")
	b.WaitFor(`location.search === "?status=ACTIVE"`)
	wantLanguage("en")
	b.see("1 tenant")
	b.visit("/console/contracts")
	wantLanguage("en")
	b.Do(chromedp.Click(chromedp.CSS(".menu summary")))
	b.press("Deutsch")
	wantLanguage("de")
}

// TestConsole_ReducedMotion: nothing moves for those who do not want it, and what runs can still be told from what waits.
func TestConsole_ReducedMotion(t *testing.T) {
	s := setup(t)
	s.net.Faults().HoldQueue(true)
	id := s.submit("Slow Clinic")
	b := s.signedIn(1280, s.key)
	motion := func(ctx context.Context, preference string) {
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: preference}}}
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
			t.Fatal(err)
		}
	}
	b.visit("/console/tenants/" + id)
	b.WaitFor(`document.querySelector(".steps > .in-progress") !== null`)
	for _, preference := range []string{"no-preference", "reduce"} {
		motion(b.Context, preference)
		if moving := pagetest.Evaluate[int](b.Page, `document.getAnimations().length`) > 0; moving != (preference == "no-preference") {
			t.Errorf("with %s something moves: %t", preference, moving)
		}
	}
	marks := pagetest.Evaluate[string](b.Page, `[".in-progress", ".waiting"].map(c => getComputedStyle(document.querySelector(".steps > " + c + " > .mark")).backgroundColor).join("/")`)
	if running, waiting, _ := strings.Cut(marks, "/"); running == waiting {
		t.Errorf("a step that runs looks as one that waits: %s", marks)
	}
	s.net.Faults().HoldQueue(false)
}
