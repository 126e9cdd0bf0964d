//go:build unix

package console_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// publish publishes a revision of a blueprint whose tenants need no contract, with these migrations.
func (s *site) publish(migrations ...string) {
	s.t.Helper()
	dir := s.t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "migrations"), 0o750); err != nil {
		s.t.Fatal(err)
	}
	files := map[string]string{"blueprint.yaml": "apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: ward\nextends: none\ncontract: none\n"}
	for i, migration := range migrations {
		files[fmt.Sprintf("migrations/%04d_step.sql", i+1)] = "-- +goose Up\n" + migration
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	s.run("blueprints", "publish", dir, "--activate")
}

// wards makes n tenants of the blueprint and returns their ids, in the order in which the list has them.
func (s *site) wards(n int) (ids []string) {
	s.t.Helper()
	for i := range n {
		ids = append(ids, s.create(map[string]any{"name": fmt.Sprintf("Ward number %d", i), "adminEmail": "ada@clinic.example", "adminFirstName": "Ada", "adminLastName": "Lovelace", "blueprint": "ward"}))
	}
	for _, id := range ids {
		s.inStatus(id, "ACTIVE")
	}
	slices.Reverse(ids)
	return ids
}

var outcomeItem = regexp.MustCompile(`<li class="(completed|failed)"><a href="/console/tenants/([^"]+)">`)

// scanItems scans a page for the text up to the end of each list item, and what follows the last one.
func scanItems(page io.Reader) *bufio.Scanner {
	items := bufio.NewScanner(page)
	items.Split(func(data []byte, atEOF bool) (advance int, token []byte, err error) {
		const end = "</li>"
		if i := bytes.Index(data, []byte(end)); i >= 0 {
			return i + len(end), data[:i+len(end)], nil
		}
		if atEOF && len(data) > 0 {
			return len(data), data, nil
		}
		return 0, nil, nil
	})
	return items
}

func TestConsole_Selection(t *testing.T) {
	s := setup(t)
	s.publish("CREATE TABLE patients (id bigint PRIMARY KEY, name text);")
	ids := s.wards(30)
	ada := s.person(s.key)
	chosen := url.Values{"id": ids, "move": {"suspend"}, "confirm": {"30"}}

	preview := ada.post("/console/tenants/actions", url.Values{"id": ids, "move": {"suspend"}}).want(http.StatusOK).shows("Suspend: 30 tenants", "Type the number of tenants to confirm", "One that fails does not stop the others.")
	for i, id := range ids {
		preview.shows(`name="id" value="`+id+`"`, fmt.Sprintf("Ward number %d", i))
	}
	before := s.registry().State()
	for _, typed := range []string{"", "3", "300", "thirty", "-30", "30x"} {
		wrong := url.Values{"id": ids, "move": {"suspend"}, "confirm": {typed}}
		ada.post("/console/tenants/actions/run", wrong).want(http.StatusBadRequest).shows(`role="alert"`, "Type 30 to confirm", "Ward number 29")
	}
	held := url.Values{"id": ids, "move": {"hold"}, "confirm": {"30"}}
	ada.post("/console/tenants/actions/run", held).want(http.StatusBadRequest).shows("A reason is missing.", "Ward number 29")
	held.Set("reason", "Case 99 of 2026")
	held.Set("confirm", "29")
	ada.post("/console/tenants/actions/run", held).want(http.StatusBadRequest).shows(`value="Case 99 of 2026"`)
	for _, move := range []string{"", "absent", "purge", "clear-hold", "skip-undo"} {
		ada.post("/console/tenants/actions", url.Values{"id": ids, "move": {move}}).want(http.StatusBadRequest).shows("This cannot be done with several tenants.")
		ada.post("/console/tenants/actions/run", url.Values{"id": ids, "move": {move}, "confirm": {"30"}}).want(http.StatusBadRequest)
	}
	ada.post("/console/tenants/actions", url.Values{"move": {"suspend"}}).want(http.StatusBadRequest).shows("No tenant was selected.")
	ada.post("/console/tenants/actions/run", url.Values{"move": {"suspend"}, "confirm": {"0"}}).want(http.StatusBadRequest)
	many := url.Values{"move": {"suspend"}, "confirm": {"501"}}
	for i := range 501 {
		many.Add("id", fmt.Sprintf("01890000-0000-7000-8000-%012d", i))
	}
	ada.post("/console/tenants/actions", many).want(http.StatusBadRequest).shows("At most 500 tenants")
	ada.post("/console/tenants/actions/run", many).want(http.StatusBadRequest).shows("At most 500 tenants")
	s.wantState(before)

	// One fails: it is archived meanwhile.
	s.call(http.MethodPost, "/admin/tenants/"+ids[7]+"/archive", nil)
	testOutcomes(t, ada, chosen, ids)
	if suspended := s.registry().Count(tenant.StatusSuspended); suspended != 29 {
		t.Errorf("%d tenants are suspended", suspended)
	}
	chosen.Set("move", "resume")
	testBrowserGone(t, ada, chosen)
}

// testOutcomes runs a selection and reads the answer as it comes: when an outcome is there, those after it are still to be done.
func testOutcomes(t *testing.T, ada *person, chosen url.Values, ids []string) {
	answer := ada.begin(t.Context(), http.MethodPost, "/console/tenants/actions/run", chosen)
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("the selection is %d", answer.StatusCode)
	}
	registry := ada.registry()
	var (
		seen, failed []string
		rest         strings.Builder
		early        bool
	)
	items := scanItems(answer.Body)
	for items.Scan() {
		rest.WriteString(items.Text())
		found := outcomeItem.FindStringSubmatch(items.Text())
		if found == nil {
			continue
		}
		if seen = append(seen, found[2]); found[1] == "failed" {
			failed = append(failed, found[2])
			if !strings.Contains(items.Text(), "ARCHIVED") {
				t.Errorf("the outcome does not say why: %s", items.Text())
			}
		}
		if len(seen) == 1 {
			early = registry.Count(tenant.StatusActive) > 1
		}
	}
	if !slices.Equal(seen, ids) || !slices.Equal(failed, []string{ids[7]}) || !early {
		t.Errorf("%d outcomes, failed %q, the first was there early: %t", len(seen), failed, early)
	}
	for _, text := range []string{"29 done", "1 failed", "</html>"} {
		if !strings.Contains(rest.String(), text) {
			t.Errorf("the page has no %q: %s", text, rest.String())
		}
	}
}

// testBrowserGone leaves after the third outcome.
func testBrowserGone(t *testing.T, ada *person, chosen url.Values) {
	forms := func() int { return strings.Count(ada.log.String(), "msg=request method=POST") }
	before := forms()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	answer := ada.begin(ctx, http.MethodPost, "/console/tenants/actions/run", chosen)
	outcomes := 0
	items := scanItems(answer.Body)
	for outcomes < 3 && items.Scan() {
		if outcomeItem.MatchString(items.Text()) {
			outcomes++
		}
	}
	leave()
	_ = answer.Body.Close()
	for deadline := time.Now().Add(20 * time.Second); forms() == before; time.Sleep(20 * time.Millisecond) { // The log says when it has ended.
		if time.Now().After(deadline) {
			t.Fatal("the selection goes on without a browser")
		}
	}
	resumed := ada.registry().Count(tenant.StatusActive)
	if outcomes != 3 || resumed < 3 || resumed >= 29 {
		t.Errorf("%d outcomes were read, and %d tenants were resumed", outcomes, resumed)
	}
	ada.post("/console/tenants/actions/run", chosen).want(http.StatusOK).shows("29 done", "1 failed") // Again, for the rest.
}

// TestConsole_Canaries rolls a revision out: the migration fails for a canary, and then for none.
func TestConsole_Canaries(t *testing.T) {
	s := setup(t)
	s.publish("CREATE TABLE patients (id bigint PRIMARY KEY, name text);")
	ids := s.wards(4)
	canary := s.registry().Named("Ward number 3").SchemaName // The newest is the first of the list.
	s.exec(`INSERT INTO ` + canary + `.patients VALUES (1, NULL)`)
	s.publish("CREATE TABLE patients (id bigint PRIMARY KEY, name text);", "-- +blueprint allow: scans\nALTER TABLE patients ALTER COLUMN name SET NOT NULL;\n")
	versions := func() string {
		var all []string
		for _, id := range ids {
			all = append(all, fmt.Sprint(s.call(http.MethodGet, "/admin/tenants/"+id, nil)["schemaVersion"]))
		}
		return strings.Join(all, " ")
	}
	ada := s.person(s.key)
	ada.get("/console/blueprints/ward").want(http.StatusOK).shows("4 tenants are at an older revision.", "Choose canaries and migrate", "Revision 2")
	ada.post("/console/tenants/actions", url.Values{"move": {"migrate"}, "behind": {"ward"}}).want(http.StatusOK).shows("Migrate: 4 tenants", "Canaries: ")
	roll := url.Values{"move": {"migrate"}, "id": ids, "canary": {"1"}, "confirm": {"4"}}
	ada.post("/console/tenants/actions/run", roll).want(http.StatusOK).shows("0 done", "1 failed", "3 not done", "not done: a canary failed", "patients")
	if found := versions(); found != "1 1 1 1" {
		t.Errorf("the schemas have the versions %s", found)
	}
	roll["id"] = []string{ids[1], ids[0], ids[2], ids[3]} // The canary is well; one that fails later stops nobody.
	ada.post("/console/tenants/actions/run", roll).want(http.StatusOK).shows("3 done", "1 failed").lacks("not done")
	if found := versions(); found != "1 2 2 2" {
		t.Errorf("the schemas have the versions %s", found)
	}
	s.exec(`DELETE FROM ` + canary + `.patients`)
	ada.post("/console/tenants/actions/run", url.Values{"move": {"migrate"}, "id": {ids[0]}, "confirm": {"1"}}).want(http.StatusOK).shows("1 done", "0 failed")
	ada.get("/console/blueprints/ward").want(http.StatusOK).lacks("older revision", "Choose canaries")
}
