//go:build unix

package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv/pagetest"
)

// TestConsole_Numbers: a number that is none is refused, and never left out: a key would not expire, and all tenants would be
// canaries.
func TestConsole_Numbers(t *testing.T) {
	s := setup(t)
	id := s.active("Clinic")
	ada := s.person(s.key)
	before := s.registry().State()
	for _, days := range []string{"1e1", "1.5", "0", "-1", "ten"} {
		ada.post("/console/keys", url.Values{"name": {"Short"}, "scope": {"tenants:read"}, "days": {days}}).want(http.StatusBadRequest).shows("is no whole number from 1", `value="Short"`)
	}
	ada.post("/console/keys", url.Values{"name": {"Short"}, "scope": {"tenants:read"}, "rateLimit": {"1e1"}}).want(http.StatusBadRequest)
	ada.post("/console/keys", url.Values{"name": {"Short"}}).want(http.StatusBadRequest).shows("choose at least one")
	for _, canary := range []string{"1e1", "abc", "-1"} {
		ada.post("/console/tenants/actions/run", url.Values{"move": {"migrate"}, "id": {id}, "confirm": {"1"}, "canary": {canary}}).want(http.StatusBadRequest).shows("The number of canaries")
	}
	s.wantState(before)
	ada.post("/console/tenants/actions", url.Values{"move": {"suspend"}, "id": {id, id, id}}).want(http.StatusOK).shows("Suspend: 1 tenant")
	ada.post("/console/tenants/actions", url.Values{"move": {"suspend"}, "all": {"1"}, "filter": {"status=ACTIVE"}}).want(http.StatusOK).shows("Suspend: 1 tenant", `value="`+id+`"`)
	ada.post("/console/tenants/actions", url.Values{"move": {"retry"}, "id": {id}}).want(http.StatusOK).shows("not possible in this status")
}

// TestConsole_SharedCheck: what one person's check of the platform found is not for a person who may not check it.
func TestConsole_SharedCheck(t *testing.T) {
	s := setup(t)
	s.person(s.key).get("/console/today/platform", "Hx-Request", "true").want(http.StatusOK)
	narrow := s.person(strings.TrimSpace(s.run("apikey", "create", "--name", "Eastern admin", "--scope", "admin", "--only-metadata", "region=east")))
	narrow.get("/console/today/platform", "Hx-Request", "true").want(http.StatusForbidden)
	s.person(s.createKey("Reader", "tenants:read")).get("/console/today/platform", "Hx-Request", "true").want(http.StatusForbidden)
}

// TestConsole_Addresses: a filter is in the address, an id is found, what was done is said once, and a link of another site leads
// to the page without a second sign-in.
func TestConsole_Addresses(t *testing.T) {
	s := setup(t)
	id := s.active("Clinic")
	b := s.signedIn(1280, s.key)
	b.visit("/console/tenants")
	b.Do(chromedp.SendKeys(chromedp.CSS("#q"), "no such tenant"))
	b.see("No tenant matches these filters.")
	b.WaitFor(`location.search.includes("q=no+such+tenant")`)
	b.Do(chromedp.Reload())
	b.see("No tenant matches these filters.")
	b.visit("/console/tenants?q=" + id)
	b.WaitFor(`location.pathname === "/console/tenants/` + id + `"`)
	b.visit("/console/tenants/" + id + "?done=suspend")
	b.WaitFor(`location.search === ""`)

	b.Do(chromedp.Navigate(strings.Replace(s.url, "127.0.0.1", "localhost", 1) + "/docs")) // Another site.
	pagetest.Evaluate[string](b.Page, `location.assign("`+s.url+`/console/tenants/`+id+`"); ""`)
	b.WaitFor(`location.pathname === "/console/tenants/` + id + `" && document.body.innerText.includes("Send the welcome mail")`)

	for path, want := range map[string]int{"/console/tenants": http.StatusOK, "/console/assets/absent.js": http.StatusNotFound} {
		answer := s.person(s.key).get(path, "Sec-Fetch-Site", "cross-site")
		if answer.status != want {
			t.Errorf("%s: %d", path, answer.status)
		}
	}
}
