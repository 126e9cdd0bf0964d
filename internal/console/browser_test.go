//go:build unix

package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv/pagetest"
)

func TestConsole_Moves(t *testing.T) {
	s := setup(t)
	id := s.active("Clinic")
	b := s.signedIn(1440, s.key)
	b.visit("/console/tenants")
	b.press("Clinic")
	b.see("Send the welcome mail")

	b.press("Set legal hold")
	b.fill("reason", "Case 2026-17")
	b.press("Set legal hold")
	b.see("The legal hold is set.")
	b.see("Case 2026-17")

	b.move("Suspend")
	b.see("Nobody can use its data until it is resumed.")
	b.move("Resume")
	b.see("The tenant is in service again.")

	b.move("Archive")
	b.see("The tenant is archived.")
	if pagetest.Evaluate[bool](b.Page, `[...document.querySelectorAll("main a")].some(a => a.textContent.trim() === "Purge")`) {
		t.Error("a purge is offered under a hold")
	}
	b.press("Clear legal hold")
	b.fill("reason", "Case 2026-17 is closed")
	b.press("Clear legal hold")
	b.see("The legal hold is cleared.")
	b.press("Purge")
	b.fill("confirm", "Clinic")
	b.press("Purge")
	b.see("its data are kept until")
	if purged := s.call(http.MethodGet, "/admin/tenants/"+id, nil)["purgedAt"]; purged != nil {
		t.Errorf("purged at %v within the retention", purged)
	}
	b.violations.expect(t, "409")
}

func TestConsole_LiveTimeline(t *testing.T) {
	s := setup(t)
	b := s.signedIn(1440, s.key)
	b.visit("/console/tenants/new")
	b.fill("name", "Live Clinic")
	b.fill("adminEmail", "nobody")
	b.see("needs exactly one @")
	pagetest.Evaluate[string](b.Page, `document.getElementById("adminEmail").value = ""`)
	b.fill("adminEmail", "ada@clinic.example")
	b.fill("adminFirstName", "Ada")
	b.fill("adminLastName", "Lovelace")
	b.see("This can be created.")
	s.net.Faults().HoldQueue(true) // The contract waits for a ledger.
	b.press("Create and provision")
	b.see("The tenant is being provisioned.")
	b.WaitFor(`document.querySelectorAll(".steps > .completed").length === 4 && document.querySelectorAll(".steps > .in-progress").length === 1`)
	b.WaitFor(`document.querySelector("h1 + .badge").textContent === "Provisioning"`) // The page was made while it was pending.
	top := pagetest.Evaluate[float64](b.Page, `document.getElementById("trail").getBoundingClientRect().top`)

	s.kill() // The page connects again, and loses nothing.
	s.start()
	s.net.Faults().HoldQueue(false)
	b.WaitFor(`document.querySelectorAll(".steps > .completed").length === 7`)
	if now := pagetest.Evaluate[float64](b.Page, `document.getElementById("trail").getBoundingClientRect().top`); now != top {
		t.Errorf("the page jumped by %v px", now-top)
	}
	b.WaitFor(`document.querySelector("h1 + .badge").textContent === "Active"`)
	b.see("Suspend")
	b.violations.drop()
}

func TestConsole_Accessible(t *testing.T) {
	axe := testenv.NewAxe(t)
	s := setup(t)
	id := s.active("Clinic")
	paths := []string{
		"/console", "/console/tenants", "/console/tenants/" + id, "/console/tenants/new", "/console/tenants/" + id + "/edit", "/console/tenants/" + id + "/moves/hold",
		"/console/blueprints", "/console/contracts", "/console/keys", "/console/platform", "/console/platform/check", "/console/nothing",
	}
	for _, width := range testenv.Variants(t, int64(360), 1440) {
		b := s.open(width)
		b.visit("/console/sign-in")
		b.WantAccessible(axe, "sign-in")
		b.signIn(s.key)
		for _, scheme := range testenv.Variants(t, "light", "dark") {
			testenv.SetColorScheme(t, b.Context, scheme)
			for _, path := range paths {
				b.visit(path)
				b.WaitFor(`!document.body.innerText.includes("Reading database and ledger") && !document.querySelector(".htmx-request")`)
				b.WantAccessible(axe, fmt.Sprintf("%s, %d, %s", path, width, scheme))
				if over := pagetest.Evaluate[float64](b.Page, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
					t.Errorf("%s is %v px too wide at %d px", path, over, width)
				}
			}
		}
		b.violations.expect(t, "404")
	}
}

func TestConsole_Escapes(t *testing.T) {
	s := setup(t)
	name := `<img src=x onerror=alert(1)>"'&amp;`
	id := s.active(name)
	s.call(http.MethodPut, "/admin/tenants/"+id+"/hold", map[string]any{"reason": `<script>document.title="hacked"</script>`})
	b := s.signedIn(768, s.key)
	for _, path := range []string{"/console/tenants", "/console/tenants/" + id, "/console/tenants/" + id + "/edit", "/console/tenants/" + id + "/moves/suspend"} {
		b.visit(path)
		found := pagetest.Evaluate[bool](b.Page, `document.querySelectorAll("main img, main script").length === 0 && document.title !== "hacked"`)
		if !found || !strings.Contains(b.Text(), "<img src=x") && !strings.Contains(path, "edit") {
			t.Errorf("%s shows %q", path, b.Text())
		}
	}
}

func TestConsole_WithoutScripts(t *testing.T) {
	s := setup(t)
	id := s.active("Clinic")
	b := s.open(768)
	b.withoutScripts()
	b.signIn(s.key)
	b.see("Needs attention")
	b.Do(chromedp.Navigate(s.url + "/console/tenants/" + id))
	b.see("Send the welcome mail")
	b.Do(chromedp.Click(chromedp.CSS(`a[href$="/moves/suspend"]`)))
	b.see("Takes the tenant out of service for a time")
	b.Do(chromedp.Click(chromedp.CSS(`form button.main`)))
	b.see("The tenant is suspended.")
}
