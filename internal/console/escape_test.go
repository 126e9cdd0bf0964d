//go:build unix

package console_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv/pagetest"
)

// hostile are texts that a page could run, or that could break it.
var hostile = map[string]string{
	"html":     `<img src=x onerror=pwned=1><script>pwned=1</script><b style="position:fixed">"'&amp;</textarea></title>`,
	"template": `{{.Token}} {{"x" | printf}} ${pwned=1} javascript:pwned=1 onload=pwned=1 %3Cscript%3E`,
	"hebrew":   "מרפאה העיר (א) 12",
	"chinese":  strings.Repeat("圣玛丽综合医院", 36),
	"long":     strings.Repeat("W", 255),
}

// cut is the beginning of a text, of at most n characters.
func cut(text string, n int) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), n)])
}

// hostileBlueprint has a hostile text where a blueprint has descriptions.
const hostileBlueprint = `apiVersion: healthcare-platform/v1
kind: Blueprint
name: hostile
extends: none
contract: none
variables:
  region: {default: "<script>pwned=1</script>", description: "<img src=x onerror=pwned=1> מרפאה {{.Token}} WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"}
`

// hostileTenants makes a tenant with each hostile text in all its fields, and returns their ids.
func hostileTenants(t *testing.T, s *site) map[string]string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "migrations"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"blueprint.yaml": hostileBlueprint, "migrations/0001_patients.sql": "-- +goose Up\nCREATE TABLE patients (id bigint PRIMARY KEY);\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.run("blueprints", "publish", dir, "--activate")
	ids, registry := map[string]string{}, s.registry()
	for kind, text := range hostile {
		name := cut(text, 255)
		id := s.create(map[string]any{
			"name": name, "adminEmail": kind + "@clinic.example", "adminFirstName": name, "adminLastName": name, "externalId": name, "managedBy": name, "allowConfusableName": true, "blueprint": "hostile",
			"metadata": map[string]string{cut(text, 63): text, "terminal": "\x1b]0;pwned\x07\x1b[31m" + text + "\r\nsecond line", "a=b": " c "}, "variables": map[string]string{"region": text},
		})
		ids[kind] = s.inStatus(id, "ACTIVE")
		s.call(http.MethodPut, "/admin/tenants/"+id+"/hold", map[string]any{"reason": name})
		s.createKey(cut(text, 100), "tenants:read")
		registry.AddFailedStep(id, "CALL_DIRECTORY", text)
	}
	failed := s.create(map[string]any{"name": "Failed " + cut(hostile["hebrew"], 200), "adminEmail": "ada@clinic.example", "adminFirstName": "Ada", "adminLastName": "Lovelace", "blueprint": "hostile"})
	ids["failed"] = s.inStatus(failed, "ACTIVE")
	registry.SetFailed(ids["failed"], hostile["html"]+hostile["hebrew"]+hostile["long"])
	return ids
}

// intact fails the test if a page has run or shows something of a hostile text in the wrong way.
func (b *browser) intact(what string) {
	b.t.Helper()
	b.WaitFor(`!document.body.innerText.includes("Reading database and ledger")`)
	if pagetest.Evaluate[bool](b.Page, `"pwned" in window || document.querySelectorAll("main img, main script, main iframe, main b, main [style], [onerror], [onload]").length > 0 || !document.title.endsWith("Tenant console") || !document.querySelector("footer")`) {
		b.t.Errorf("%s: a text has become a part of the page: %s", what, b.Text())
	}
	if over := pagetest.Evaluate[float64](b.Page, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		widest := pagetest.Evaluate[string](b.Page, `[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth && !e.closest(".scroll")).map(e => e.tagName + "." + e.className).slice(0, 8).join(" ")`)
		b.t.Errorf("%s is %v px too wide: %s", what, over, widest)
	}
	// A text from right to left must not turn what stands beside it.
	bare := pagetest.Evaluate[string](b.Page, `(() => {
		const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
		while (walker.nextNode()) {
			const text = walker.currentNode, own = text.parentElement
			if (/[\u0590-\u05ff]/.test(text.textContent) && !own.closest("bdi, textarea, option, [dir=auto]")) found.push(own.tagName + "." + own.className + ": " + text.textContent.trim().slice(0, 60))
		}
		return found.join(" | ")
	})()`)
	if bare != "" {
		b.t.Errorf("%s has texts without a direction of their own: %s", what, bare)
	}
}

func TestConsole_HostileTexts(t *testing.T) {
	s := setup(t)
	ids := hostileTenants(t, s)
	b := s.signedIn(360, s.key)
	for _, path := range []string{"/console", "/console/tenants", "/console/contracts", "/console/keys", "/console/platform", "/console/blueprints", "/console/blueprints/hostile", "/console/tenants/new?blueprint=hostile"} {
		b.visit(path)
		b.intact(path)
	}
	for kind, id := range ids {
		for _, path := range []string{"", "/edit", "/moves/archive", "/moves/purge", "/moves/clear-hold", "/verification", "/health"} {
			b.visit("/console/tenants/" + id + path)
			b.intact(kind + path)
		}
		b.visit("/console/tenants?" + "q=" + kind)
		b.intact("search for " + kind)
	}
	b.visit("/console/tenants")
	pagetest.Evaluate[int](b.Page, `document.querySelectorAll("input[name=id]").forEach(e => e.checked = true); document.getElementById("move").value = "suspend"; 0`)
	b.press("Continue")
	b.see("Type the number of tenants to confirm")
	b.intact("preview of a selection")
	b.fill("confirm", "6\r")
	b.see("done, ")
	b.intact("outcomes of a selection")

	// A form that is sent back unchanged changes nothing, also metadata that a line cannot have as it is.
	for kind, id := range ids {
		before := s.call(http.MethodGet, "/admin/tenants/"+id, nil)
		b.visit("/console/tenants/" + id + "/edit")
		b.press("Save")
		b.see("The change is saved.")
		after := s.call(http.MethodGet, "/admin/tenants/"+id, nil)
		for _, field := range []string{"name", "adminFirstName", "adminLastName", "externalId", "managedBy"} {
			if before[field] != after[field] {
				t.Errorf("%s: %s was %q and is %q", kind, field, before[field], after[field])
			}
		}
		was, _ := before["metadata"].(map[string]any)
		is, _ := after["metadata"].(map[string]any)
		for key := range was {
			if was[key] != is[key] || len(was) != len(is) {
				t.Errorf("%s: metadata %q was %q and is %q", kind, key, was[key], is[key])
			}
		}
	}
}
