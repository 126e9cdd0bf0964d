//go:build unix

package main_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestCommands_Audit: the events of a tenant and of the registry are those that the API returns.
func TestCommands_Audit(t *testing.T) {
	w := setup(t)
	p := w.start(w.createKey("admin"), "serve")
	id := p.call(http.MethodPost, "/admin/tenants", clinic("Clinic")).want(t, http.StatusAccepted).str("tenantId")
	w.waitFor("the tenant", w.hasActive(1))
	for path, args := range map[string][]string{"/admin/audit": {"audit"}, "/admin/tenants/" + id + "/audit": {"audit", "--tenant", "name:Clinic"}} {
		w.sameJSON(strings.Join(args, " "), w.printed(0, append(args, "--json")...), p.call(http.MethodGet, path, nil).want(t, http.StatusOK).body)
	}
	w.mustRun("audit").want(t, 0, "SEQ", "apikey.create", "(command)", `"name":"test admin"`, "1 event")
	w.mustRun("audit", "--tenant", id).want(t, 0, "tenant.create", "test admin (apikey)", "127.0.0.1", "tenant.activate", "2 events")
	if r := w.mustRun("audit", "--tenant", id, "--after", "1"); strings.Contains(r.out, "tenant.create") || !strings.Contains(r.out, "tenant.activate") {
		t.Error(r.out)
	}
	if r := w.mustRun("audit", "--tenant", id, "--limit", "1"); strings.Contains(r.out, "tenant.activate") || !strings.Contains(r.out, "tenant.create") {
		t.Error(r.out)
	}
	w.run("audit", "--after", "-1").want(t, 2, "--after is -1")
	w.run("audit", "--tenant", "").want(t, 2, `"" is neither a tenant's id nor name:NAME`)
	w.run("audit", "--tenant", "name:Nobody").want(t, 1, "there is no tenant named Nobody")
	w.run("audit", "--tenant", "00000000-0000-0000-0000-000000000000").want(t, 1, "there is no tenant")
}

// TestCommands_AccessReport: logins are listed while they are open, when they ended, and after a
// purge without what is about a person.
func TestCommands_AccessReport(t *testing.T) {
	w := setup(t)
	w.env["CREDENTIAL_REASON"], w.env["PURGE_RETENTION"] = "required", "0s"
	p := w.start(w.createKey("admin"), "serve")
	id := p.call(http.MethodPost, "/admin/tenants", clinic("Clinic")).want(t, http.StatusAccepted).str("tenantId")
	w.waitFor("the tenant", w.hasActive(1))
	w.mustRun("access", "report", "--tenant", "name:Clinic").want(t, 0, "0 logins")
	w.run("access", "report").want(t, 2, "--tenant is not set; give a tenant")

	path := "/admin/tenants/" + id + "/database-credentials"
	p.call(http.MethodPost, path, map[string]any{}).want(t, http.StatusBadRequest)
	closed := p.call(http.MethodPost, path, map[string]any{"reason": "Ticket 4711"}).want(t, http.StatusCreated)
	p.call(http.MethodDelete, path+"/"+closed.str("id"), nil).want(t, http.StatusOK)
	open := p.call(http.MethodPost, path, map[string]any{"reason": "Ticket 4712"}).want(t, http.StatusCreated)
	w.mustRun("access", "report", "--tenant", id).want(t, 0, "VALID UNTIL", closed.str("username"), "test admin (apikey)", "127.0.0.1", "Ticket 4711", "open", "Ticket 4712", "2 logins")
	if n := len(w.registry.Logins()); n != 1 {
		t.Errorf("%d logins are left", n)
	}
	logins := w.reportedLogins(id)
	if logins[0]["id"] != closed.str("id") || logins[0]["endedAt"] == nil || logins[1]["endedAt"] != nil || logins[1]["validUntil"] != open.str("expiresAt") || logins[1]["step"] != nil {
		t.Errorf("%v", logins)
	}

	p.call(http.MethodDelete, "/admin/tenants/"+id, nil).want(t, http.StatusOK)
	if logins = w.reportedLogins(id); logins[1]["endedAt"] == nil || logins[1]["reason"] != "Ticket 4712" {
		t.Errorf("after archiving: %v", logins)
	}
	w.mustRun("tenants", "purge", id, "--confirm", "Clinic")
	logins = w.reportedLogins(id)
	for _, l := range logins {
		if caller, ok := l["caller"].(map[string]any); !ok || caller["kind"] != "redacted" || l["reason"] != nil || l["username"] != nil || l["openedAt"] == nil {
			t.Errorf("after the purge: %v", l)
		}
	}
	if len(logins) != 2 {
		t.Errorf("after the purge: %v", logins)
	}
	w.mustRun("access", "report", "--tenant", id).want(t, 0, "redacted", "2 logins")
}

// reportedLogins are those of an access report.
func (w *testEnv) reportedLogins(id string) (logins []map[string]any) {
	w.t.Helper()
	report, _ := w.printed(0, "access", "report", "--tenant", id, "--json").(map[string]any)
	list, _ := report["logins"].([]any)
	for _, one := range list {
		login, _ := one.(map[string]any)
		logins = append(logins, login)
	}
	if report["tenantId"] != id || len(logins) == 0 {
		w.t.Fatalf("%v", report)
	}
	return logins
}
