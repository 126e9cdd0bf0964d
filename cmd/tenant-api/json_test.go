//go:build unix

package main_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// printed runs a command and reads the JSON that it prints.
func (w *testEnv) printed(code int, args ...string) (v any) {
	w.t.Helper()
	r := w.run(args...)
	if r.code != code {
		w.t.Fatalf("%v: exit code %d: %s %s", args, r.code, r.out, r.err)
	}
	if err := json.Unmarshal([]byte(r.out), &v); err != nil {
		w.t.Fatalf("%v: %v: %s", args, err, r.out)
	}
	oneForm(w.t, strings.Join(args, " "), v)
	return v
}

var (
	camelCase = regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`)
	someTime  = regexp.MustCompile(`^\d{4}-\d\d-\d\d[T ]`)
)

// oneForm checks the rules for all JSON of the product.
func oneForm(t *testing.T, where string, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			// The keys of these are not ours.
			if !camelCase.MatchString(name) && !strings.HasSuffix(where, ".metadata") && !strings.HasSuffix(where, ".rows") {
				t.Errorf("%s: the name %q", where, name)
			}
			if strings.Contains(strings.ToLower(name), "duration") && !strings.HasSuffix(name, "Ms") {
				t.Errorf("%s: %q has no unit", where, name)
			}
			oneForm(t, where+"."+name, value)
		}
	case []any:
		for _, one := range v {
			oneForm(t, where, one)
		}
	case string:
		if v == "" {
			t.Errorf("%s is empty and not null", where)
		}
		if at, err := time.Parse(time.RFC3339Nano, v); someTime.MatchString(v) && (err != nil || !strings.HasSuffix(v, "Z") || at.IsZero()) {
			t.Errorf("%s is the time %q", where, v)
		}
	}
}

// sameJSON compares what a command prints with what the API returns.
func (w *testEnv) sameJSON(what string, got, want any) {
	w.t.Helper()
	if !reflect.DeepEqual(got, want) {
		w.t.Errorf("%s: the command prints %v\nand the API returns %v", what, got, want)
	}
}

// TestJSON compares what commands print with what the API returns.
func TestJSON(t *testing.T) {
	w := setup(t)
	w.env["PURGE_RETENTION"], w.env["SOROBAN_CHANNELS"] = "0s", "1"
	p := w.start(w.createKey("admin"), "serve")
	in := clinic("St. Mary's <Clinic> & Co")
	in["metadata"] = map[string]any{"Data Centre": "eu"}
	id := p.call(http.MethodPost, "/admin/tenants", in).want(t, http.StatusAccepted).str("tenantId")
	w.waitFor("the tenant", w.hasActive(1))
	ask := func(path string) map[string]any {
		t.Helper()
		got := p.call(http.MethodGet, path, nil).want(t, http.StatusOK)
		var v map[string]any
		if err := json.Unmarshal([]byte(got.text), &v); err != nil {
			t.Fatal(err)
		}
		oneForm(t, path, v)
		return v
	}
	same := w.sameJSON
	tenant := ask("/admin/tenants/" + id)
	shown, _ := w.printed(0, "tenants", "show", id, "--json").(map[string]any)
	same("the log", shown["logs"], ask("/admin/tenants/" + id + "/provisioning-status?attempts=all")["logs"])
	delete(shown, "logs")
	delete(shown, "databaseNode") // Of Citus; only the command has it.
	same("the tenant", shown, tenant)
	same("the list", w.printed(0, "tenants", "list", "--json"), any(ask("/admin/tenants?view=full")))
	same("an empty list", w.printed(0, "tenants", "list", "--status", "failed", "--json"), any(ask("/admin/tenants?view=full&status=FAILED")))

	contract, _ := w.printed(0, "contracts", "show", id, "--json").(map[string]any)
	listed, _ := w.printed(0, "contracts", "list", "--json").([]any)
	if len(listed) != 1 || contract["sorobanContractId"] != tenant["sorobanContractId"] || contract["state"] != "LIVE" {
		t.Errorf("%v, %v", contract, listed)
	}
	for _, args := range [][]string{
		{"channels", "--json"}, {"apikey", "list", "--json"}, {"migrate", "status", "--json"}, {"tenants", "migrate", "--dry-run", "--json"}, {"tenants", "migrate", "--json"},
	} {
		w.printed(0, args...)
	}
	checked, _ := w.printed(0, "tenants", "verify", "--json").(map[string]any)
	if findings, ok := checked["findings"].([]any); !ok || len(findings) != 0 || checked["tenants"] != 1.0 {
		t.Errorf("%v", checked)
	}
	w.registry.ChangeEvent(id, 1)
	checked, _ = w.printed(3, "tenants", "verify", "--offline", "--json").(map[string]any)
	findings, _ := checked["findings"].([]any)
	if first, _ := findings[0].(map[string]any); len(findings) != 1 || first["tenantId"] != id || first["subject"] != "audit events" {
		t.Errorf("%v", checked)
	}

	p.call(http.MethodDelete, "/admin/tenants/"+id, nil).want(t, http.StatusOK)
	certificate := w.printed(0, "tenants", "purge", id, "--confirm", "St. Mary's <Clinic> & Co")
	again := p.call(http.MethodPost, "/admin/tenants/"+id+"/purge", map[string]any{"confirm": "St. Mary's <Clinic> & Co"}).want(t, http.StatusOK)
	same("the certificate", certificate, any(again.body))
}
