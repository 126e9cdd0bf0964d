//go:build unix

package console_test

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unknownID is the id of no tenant and no key.
const unknownID = "01890000-0000-7000-8000-000000000000"

var (
	formRoute = regexp.MustCompile(`"POST (/console[^"]*)"`)
	pageRoute = regexp.MustCompile(`"GET (/console[^"]*)"`)
)

// routes are the routes of the console that match a pattern, with these values in the place of their parameters.
// For a move there is one route for each.
func (s *site) routes(pattern *regexp.Regexp, tenant string) (all []string) {
	s.t.Helper()
	source, err := os.ReadFile("console.go")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, match := range pattern.FindAllStringSubmatch(string(source), -1) {
		route := strings.NewReplacer("/blueprints/{name}", "/blueprints/absent", "/keys/{id}", "/keys/"+unknownID, "{id}", tenant, "{login}", "login_1", "{$}", "", "{name}", "absent").Replace(match[1])
		if before, found := strings.CutSuffix(route, "{move}"); found {
			for _, move := range []string{"retry", "resume", "unarchive", "invite", "repair", "reconcile-contract", "migrate", "suspend", "hold", "clear-hold", "skip-undo", "archive", "purge"} {
				all = append(all, before+move)
			}
			continue
		}
		all = append(all, route)
	}
	if len(all) < 15 {
		s.t.Fatalf("only %q were found", all)
	}
	return all
}

// fullForm has a good value for each field of each form.
func fullForm(id string) url.Values {
	return url.Values{
		"name": {"Another Clinic"}, "adminEmail": {"eve@clinic.example"}, "adminFirstName": {"Eve"}, "adminLastName": {"Evans"}, "blueprint": {"standard"}, "version": {"1"},
		"id": {id}, "move": {"suspend"}, "confirm": {"1"}, "reason": {"Case 1"}, "scope": {"admin"}, "revision": {"1"}, "step": {"CALL"}, "language": {"de"}, "everywhere": {"1"},
	}
}

func TestConsole_Security(t *testing.T) {
	s := setup(t)
	id := s.active("Clinic")
	ada := s.person(s.key)
	s.sub("FormsOfOtherSitesChangeNothing", func(*testing.T) { testCrossSite(ada, id) })
	s.sub("PagesHaveHeaders", func(t *testing.T) { testHeaders(t, ada, id) })
	s.sub("SessionIsNoKeyOfTheAPI", func(*testing.T) {
		for _, path := range []string{"/admin/tenants", "/admin/tenants/" + id + "/events"} {
			(&person{site: s}).get(path, "Authorization", "Bearer hcs_"+ada.session).want(http.StatusUnauthorized)
			ada.get(path).want(http.StatusUnauthorized)
		}
	})
	s.sub("SessionCookie", func(t *testing.T) {
		answer := (&person{site: s}).post("/console/sign-in", url.Values{"key": {s.key}}).want(http.StatusSeeOther)
		cookie := answer.header.Get("Set-Cookie")
		attributes := strings.Split(cookie, "; ")
		if !strings.HasPrefix(cookie, sessionCookie+"=") || strings.Contains(cookie, "Domain") || len(answer.header.Values("Set-Cookie")) != 1 {
			t.Errorf("the cookie is %q", cookie)
		}
		for _, attribute := range []string{"Path=/", "HttpOnly", "Secure", "SameSite=Strict", "Max-Age=43200"} {
			if !slices.Contains(attributes, attribute) {
				t.Errorf("the cookie has no %s: %q", attribute, cookie)
			}
		}
	})
	s.sub("SignInGivesANewSession", func(t *testing.T) {
		planted := &person{s, strings.Repeat("A", len(ada.session))}
		if answer := planted.post("/console/sign-in", url.Values{"key": {s.key}}).want(http.StatusSeeOther); strings.Contains(answer.header.Get("Set-Cookie"), planted.session) {
			t.Error("the session is the one that the browser had before")
		}
		if location := planted.get("/console").want(http.StatusSeeOther).location(); !strings.Contains(location, "/sign-in") {
			t.Errorf("a planted session leads to %s", location)
		}
	})
	s.sub("ReturnStaysInTheConsole", func(t *testing.T) { testReturn(t, ada) })
	s.sub("LargeForm", func(*testing.T) {
		before := s.registry().State()
		form := fullForm(id)
		form.Set("metadata", strings.Repeat("x=y\n", 100_000))
		ada.post("/console/tenants/new", form).want(http.StatusBadRequest).shows("too large")
		ada.post("/console/tenants/"+id+"/edit", url.Values{"name": {strings.Repeat("x", 200_000)}, "version": {"1"}}).want(http.StatusRequestEntityTooLarge)
		s.wantState(before)
	})
	s.sub("StrangeRequests", func(t *testing.T) { testStrange(t, ada, id) })
}

// testCrossSite sends each form as a page of another site would.
func testCrossSite(ada *person, id string) {
	before := ada.registry().State()
	for _, route := range ada.routes(formRoute, id) {
		for _, headers := range [][]string{
			{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"},
			{"Origin", "https://evil.example", "Sec-Fetch-Site", ""},
			{"Origin", "null", "Sec-Fetch-Site", ""},
			{"Origin", ada.url, "Sec-Fetch-Site", "same-site"},
		} {
			form := fullForm(id)
			form.Set("key", ada.key)
			answer := ada.post(route, form, headers...).want(http.StatusForbidden).shows("sent from another site")
			if answer.header.Get("Set-Cookie") != "" {
				ada.t.Errorf("%s sets a cookie", route)
			}
		}
	}
	ada.wantState(before)
}

func testHeaders(t *testing.T, ada *person, id string) {
	nobody := &person{site: ada.site}
	pages := []page{
		nobody.get("/console/sign-in"), nobody.get("/console/absent"), nobody.get("/console/tenants/" + id), nobody.post("/console/sign-in", url.Values{"key": {"hct_x"}}),
		ada.post("/console/tenants/actions", url.Values{"id": {id}, "move": {"suspend"}}), ada.get("/console/assets/absent.js"), ada.get("/console/tenants", "HX-Request", "true"),
		ada.post("/console/language", url.Values{"language": {"en"}}),
	}
	for _, route := range ada.routes(pageRoute, id) {
		pages = append(pages, ada.get(route))
	}
	for _, p := range pages {
		policy := p.header.Get("Content-Security-Policy")
		for name, value := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "same-origin"} {
			if p.header.Get(name) != value {
				t.Errorf("%s (%d): %s is %q", p.what, p.status, name, p.header.Get(name))
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "data:") || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") ||
			!strings.Contains(policy, "base-uri 'none'") || !strings.Contains(policy, "form-action 'self'") {
			t.Errorf("%s (%d): the policy is %q", p.what, p.status, policy)
		}
		if p.status >= 500 || p.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v %s", p.what, p.status, p.header, p.text)
		}
		p.lacks("<script>", " style=", " onclick=", "javascript:")
	}
	for _, asset := range regexp.MustCompile(`/console/assets/[^"]+`).FindAllString(nobody.get("/console/sign-in").text, -1) {
		if p := nobody.get(asset).want(http.StatusOK); p.header.Get("Cache-Control") != "public, max-age=31536000, immutable" || p.header.Get("X-Content-Type-Options") != "nosniff" || p.header.Get("Set-Cookie") != "" {
			t.Errorf("%s has %v", asset, p.header)
		}
	}
}

// testReturn tries to lead people elsewhere after a form.
func testReturn(t *testing.T, ada *person) {
	home, err := url.Parse(ada.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{
		"https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example", "javascript:alert(1)", "/console\\..\\..\\evil", "/console//evil.example",
		"/console/../../evil.example", "/console/%2e%2e/%2e%2e//evil.example", "/console/..%2f..%2f", "/consolex", "/admin/tenants", "/docs", "/console/sign-in", "/console/sign-in/oidc?return=/console", "\t//evil.example",
		"/console\r\nSet-Cookie: a=b", "/console?x=\u2028y", "http://" + home.Host + "@evil.example/console", "/console" + strings.Repeat("/a", 400), "",
	} {
		for _, answer := range []page{
			(&person{site: ada.site}).post("/console/sign-in", url.Values{"key": {ada.key}, "return": {address}}),
			ada.post("/console/language", url.Values{"language": {"de"}, "return": {address}}),
		} {
			if target := answer.want(http.StatusSeeOther).location(); target != "/console" {
				t.Errorf("%q leads to %q", address, target)
			}
		}
		(&person{site: ada.site}).get("/console/sign-in?return=" + url.QueryEscape(address)).want(http.StatusOK).shows(`name="return" value="/console"`)
	}
	target := (&person{site: ada.site}).get("/console/tenants?status=FAILED&q=%C3%A4").want(http.StatusSeeOther).location()
	if target != "/console/sign-in?return=%2Fconsole%2Ftenants%3Fstatus%3DFAILED%26q%3D%25C3%25A4" {
		t.Errorf("a page leads to %q", target)
	}
	(&person{site: ada.site}).get(target).shows(`value="/console/tenants?status=FAILED&amp;q=%C3%A4"`)
}

func testStrange(t *testing.T, ada *person, id string) {
	before := ada.registry().State()
	for _, path := range []string{
		"/console/absent", "/console/tenants/" + unknownID, "/console/tenants/1", "/console/tenants/x'%22%3Cscript%3E", "/console/tenants/..%2f..%2fadmin", "/console/tenants/" + id + "%2Faudit", "/console/tenants/" + id + "%00",
		"/console/tenants/" + id + "/moves/absent", "/console/tenants/" + id + "/absent", "/console/blueprints/..%2fapi-keys", "/console/blueprints/%F0%9F%92%89", "/console/assets/..%2fconsole.go", "/console/assets/",
		"/console/tenants/health", "/console/tenants/" + unknownID + "/health", "/console/tenants/1/edit", "/console/tenants/1/moves/suspend", "/console/tenants/1/verification",
	} {
		if a := ada.get(path); a.status != http.StatusNotFound && a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, a.status, a.location())
		}
	}
	if target := ada.get("/console/tenants/..%2f..%2fdocs/timeline").want(http.StatusSeeOther).location(); !strings.HasPrefix(target, "/console/tenants/") {
		t.Errorf("the timeline of no tenant leads to %q", target)
	}
	for _, path := range []string{"/console/../admin/tenants", "/console//tenants", "/console/./tenants", "/console/tenants/../../admin/tenants"} {
		if a := ada.get(path); a.status < 300 || a.status >= 400 || !strings.HasPrefix(a.location(), "/") || strings.HasPrefix(a.location(), "//") {
			t.Errorf("%s: %d %q", path, a.status, a.location())
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, "PROPFIND"} {
		for _, path := range []string{"/console", "/console/tenants", "/console/tenants/" + id, "/console/tenants/" + id + "/moves/suspend", "/console/keys", "/console/sign-out"} {
			if a := ada.send(method, path, fullForm(id)); a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, a.status)
			}
		}
	}
	for _, route := range ada.routes(pageRoute, id) {
		a, whole := ada.send(http.MethodHead, route, nil), ada.get(route)
		if a.status != whole.status || a.text != "" || a.header.Get("Content-Type") != whole.header.Get("Content-Type") {
			t.Errorf("HEAD %s: %d %s, GET: %d %s", route, a.status, a.header.Get("Content-Type"), whole.status, whole.header.Get("Content-Type"))
		}
	}
	ada.send(http.MethodHead, "/console/tenants/"+id+"/timeline", nil, "HX-Request", "true").want(http.StatusOK)
	for _, route := range ada.routes(formRoute, unknownID) {
		if !strings.Contains(route, unknownID) {
			continue
		}
		if a := ada.post(route, fullForm(unknownID)); a.status != http.StatusNotFound {
			t.Errorf("POST %s: %d %s", route, a.status, a.text)
		}
	}
	ada.wantState(before)
}
