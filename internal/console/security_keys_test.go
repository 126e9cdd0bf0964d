//go:build unix

package console_test

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// onceField is the field of a form that makes one tenant, however often it is sent.
var onceField = regexp.MustCompile(`name="once" value="([^"]+)"`)

func TestConsole_Keys(t *testing.T) {
	s := setup(t)
	ids := map[string]string{}
	for name, metadata := range map[string]map[string]string{"Eastern Clinic": {"region": "east"}, "Western Clinic": {"region": "west"}} {
		ids[name] = s.inStatus(s.create(map[string]any{"name": name, "adminEmail": "ada@clinic.example", "adminFirstName": "Ada", "adminLastName": "Lovelace", "metadata": metadata}), "ACTIVE")
	}
	east, west := ids["Eastern Clinic"], ids["Western Clinic"]
	s.sub("WithoutScopes", func(t *testing.T) { testKeyWithoutScopes(t, s, east) })
	s.sub("ReadOnly", func(t *testing.T) { testReadOnlyKey(t, s, east) })
	s.sub("Narrowed", func(t *testing.T) { testNarrowedKey(t, s, east, west) })
	s.sub("FormIsAuditedForWhoSendsIt", func(t *testing.T) { testAuditedForm(t, s, east) })
	s.sub("FormSentTwice", func(t *testing.T) { testFormTwice(t, s) })
	s.sub("Revoked", func(t *testing.T) { testRevokedKey(t, s, east) })
}

// testKeyWithoutScopes uses a key that may do nothing, which only the database can make.
func testKeyWithoutScopes(t *testing.T, s *site, id string) {
	key := s.createKey("Nobody", "tenants:read")
	s.registry().SetScopesOf("Nobody")
	p := s.person(key)
	before := s.registry().State()
	for _, route := range s.routes(pageRoute, id) {
		switch a := p.get(route); {
		case strings.HasPrefix(route, "/console/sign-in"), strings.HasPrefix(route, "/console/assets"), strings.HasSuffix(route, "/timeline"):
		case a.status == http.StatusForbidden:
			a.shows("You may not do this", "Sign out").lacks("Eastern")
		case a.status == http.StatusOK:
			a.lacks("Eastern", "Western", "Nobody</bdi>")
		default:
			t.Errorf("%s: %d", route, a.status)
		}
	}
	for _, route := range s.routes(formRoute, id) {
		if !strings.Contains(route, "/sign-") && !strings.Contains(route, "language") {
			p.post(route, fullForm(id)).want(http.StatusForbidden)
		}
	}
	s.wantState(before)
}

func testReadOnlyKey(t *testing.T, s *site, id string) {
	p := s.person(s.createKey("Reader", "tenants:read"))
	for _, path := range []string{"/console", "/console/tenants", "/console/tenants/" + id, "/console/blueprints", "/console/contracts", "/console/platform"} {
		p.get(path).want(http.StatusOK).lacks("/tenants/new", "/moves/", "/edit\"", "/actions", "/console/keys", "/activate", "/retire", "/revoke")
	}
	before := s.registry().State()
	for _, path := range []string{"/console/keys", "/console/tenants/new", "/console/tenants/" + id + "/edit", "/console/tenants/" + id + "/moves/suspend", "/console/platform/check", "/console/platform/verification", "/console/today/platform"} {
		p.get(path).want(http.StatusForbidden).shows("You may not do this")
	}
	for _, route := range s.routes(formRoute, id) {
		if strings.Contains(route, "/sign-") || strings.Contains(route, "language") {
			continue
		}
		form := fullForm(id)
		a := p.post(route, form).want(http.StatusForbidden)
		if !strings.Contains(a.text, "scope") {
			t.Errorf("%s does not say why: %s", route, a.main())
		}
	}
	s.wantState(before)
}

func testNarrowedKey(t *testing.T, s *site, east, west string) {
	key := strings.TrimSpace(s.run("apikey", "create", "--name", "Eastern team", "--scope", "tenants:write", "--scope", "tenants:purge", "--only-metadata", "region=east"))
	p := s.person(key)
	for _, path := range []string{"/console/tenants", "/console/tenants?q=Clinic", "/console/tenants?metadataKey=region"} {
		p.get(path).want(http.StatusOK).lacks("Western", west)
	}
	p.get("/console/tenants").shows("Eastern Clinic", "1 tenant")
	p.get("/console").want(http.StatusOK).lacks("Western", west)
	for _, path := range []string{"/console/blueprints", "/console/contracts", "/console/keys", "/console/platform", "/console/platform/check", "/console/today/platform"} {
		if a := p.get(path).lacks("Western", west, "Ada Admin"); a.status >= 500 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	for _, path := range []string{"", "/edit", "/moves/suspend", "/health", "/verification"} {
		p.get("/console/tenants/" + west + path).want(http.StatusNotFound).lacks("Western")
		p.get("/console/tenants/" + east + path).want(http.StatusOK)
	}
	p.get("/console/tenants/"+west+"/timeline", "HX-Request", "true").want(http.StatusNotFound)
	before := s.registry().State()
	for _, route := range s.routes(formRoute, west) {
		if strings.Contains(route, west) {
			if a := p.post(route, fullForm(west)).lacks("Western"); a.status != http.StatusNotFound && a.status != http.StatusForbidden {
				t.Errorf("%s: %d", route, a.status)
			}
		}
	}
	both := url.Values{"id": {west, east}, "move": {"suspend"}, "confirm": {"2"}}
	p.post("/console/tenants/actions", both).want(http.StatusOK).shows("Eastern Clinic", "1 tenant").lacks("Western", west)
	p.post("/console/tenants/actions/run", both).want(http.StatusBadRequest).lacks("Western", west)
	p.post("/console/tenants/actions", url.Values{"id": {west}, "move": {"suspend"}}).want(http.StatusBadRequest).shows("No tenant was selected")
	form := fullForm(east)
	p.post("/console/tenants/new", form).want(http.StatusBadRequest).shows("only for such tenants")
	form.Set("metadata", "region=west")
	p.post("/console/tenants/new", form).want(http.StatusBadRequest).shows("only for such tenants")
	s.wantState(before)
}

// testAuditedForm: what a person sends is recorded with the name of the person's key, also a form that another person had open.
func testAuditedForm(t *testing.T, s *site, id string) {
	registry := s.registry()
	who := func() string { return registry.LastEventOf(id) }
	grace, ada := s.person(s.createKey("Grace", "tenants:write")), s.person(s.key)
	form := ada.get("/console/tenants/" + id + "/moves/suspend").want(http.StatusOK)
	if strings.Contains(form.text, ada.session) {
		t.Error("the page shows the session")
	}
	grace.post("/console/tenants/"+id+"/moves/suspend", url.Values{}, "X-Forwarded-For", "203.0.113.9").want(http.StatusSeeOther)
	if last := who(); last != "tenant.suspend apikey Grace 127.0.0.1" {
		t.Errorf("the audit log has %q", last)
	}
	ada.post("/console/tenants/"+id+"/moves/purge", url.Values{"confirm": {"Eastern Clinic"}}).want(http.StatusConflict).shows(`role="alert"`, "SUSPENDED")
	ada.post("/console/tenants/"+id+"/moves/resume", url.Values{}).want(http.StatusSeeOther)
	if last := who(); last != "tenant.resume apikey Ada Admin 127.0.0.1" {
		t.Errorf("the audit log has %q", last)
	}
	grace.get("/console/tenants/"+id).shows("tenant.suspend", "Grace", "Ada Admin")
}

// testFormTwice sends the form of a new tenant again, in the same session and in that of another person.
func testFormTwice(t *testing.T, s *site) {
	ada, grace := s.person(s.key), s.person(s.createKey("Grace Two", "tenants:write"))
	once := onceField.FindStringSubmatch(ada.get("/console/tenants/new").want(http.StatusOK).text)
	if once == nil {
		t.Fatal("the form can be sent twice")
	}
	form := url.Values{"once": {once[1]}, "name": {"Twice Clinic"}, "adminEmail": {"ada@clinic.example"}, "adminFirstName": {"Ada"}, "adminLastName": {"Lovelace"}, "blueprint": {"standard"}}
	registry := s.registry()
	count := func() (n int) {
		for _, found := range registry.All() {
			if found.Name == "Twice Clinic" {
				n++
			}
		}
		return n
	}
	first := ada.post("/console/tenants/new", form).want(http.StatusSeeOther).location()
	if again := ada.post("/console/tenants/new", form).want(http.StatusSeeOther).location(); again != first || count() != 1 {
		t.Errorf("sent again it leads to %s, not %s, and there are %d tenants", again, first, count())
	}
	form.Set("adminFirstName", "Eve")
	changed := ada.post("/console/tenants/new", form).want(http.StatusUnprocessableEntity).shows("has made a tenant already", "Eve")
	if next := onceField.FindStringSubmatch(changed.text); next == nil || next[1] == once[1] {
		t.Error("the form cannot be sent again")
	}
	form.Set("adminFirstName", "Ada")
	s.inStatus(strings.TrimSuffix(strings.TrimPrefix(first, "/console/tenants/"), "?done=create"), "ACTIVE")
	if answer := grace.post("/console/tenants/new", form); answer.status != http.StatusConflict || count() != 1 {
		t.Errorf("in another session: %d, and there are %d tenants: %s", answer.status, count(), answer.main())
	}
}

// testRevokedKey revokes the key of somebody who watches a provisioning.
func testRevokedKey(t *testing.T, s *site, id string) {
	p := s.person(s.createKey("Leaver", "tenants:write"))
	s.net.Faults().HoldQueue(true)
	defer s.net.Faults().HoldQueue(false)
	waiting := s.submit("Waiting Clinic")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	open := p.begin(ctx, http.MethodGet, "/console/tenants/"+waiting+"/timeline", nil, "HX-Request", "true")
	defer func() { _ = open.Body.Close() }() // Only read.
	lines := bufio.NewScanner(open.Body)
	if open.StatusCode != http.StatusOK || open.Header.Get("Content-Type") != "text/event-stream" || !lines.Scan() {
		t.Fatalf("the timeline is %d %v, %v", open.StatusCode, open.Header, lines.Err())
	}
	registry := s.registry()
	for registry.InProgress(tenant.StepDeploySorobanContract) == 0 {
		lines.Scan() // The timeline tells it.
	}
	registry.RevokeKey("Leaver")
	before := registry.State()
	clicked := p.get("/console/tenants/" + id).want(http.StatusSeeOther)
	if clicked.location() != "/console/sign-in?ended=1&return=%2Fconsole%2Ftenants%2F"+id || !strings.Contains(clicked.header.Get("Set-Cookie"), sessionCookie+"=; Path=/; Max-Age=0") {
		t.Errorf("a click leads to %s, with %q", clicked.location(), clicked.header.Get("Set-Cookie"))
	}
	(&person{site: s}).get(clicked.location()).want(http.StatusOK).shows("Your session has ended.")
	for _, route := range s.routes(formRoute, id) {
		if a := p.post(route, fullForm(id)); !strings.Contains(route, "language") && !strings.HasPrefix(a.location(), "/console/sign-in") && !strings.HasSuffix(route, "/sign-in") {
			t.Errorf("%s: %d %s", route, a.status, a.location())
		}
	}
	p.get("/console/tenants/"+waiting+"/timeline", "HX-Request", "true").want(http.StatusUnauthorized)
	for lines.Scan() { // The keep-alive finds it out.
	}
	if ctx.Err() != nil {
		t.Error("the open timeline goes on")
	}
	s.wantState(before)
}
