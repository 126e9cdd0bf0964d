//go:build unix

package console_test

import (
	"net/http"
	"testing"
)

func TestConsole_ClosesLogin(t *testing.T) {
	s := setup(t)
	id := s.active("Clinic")
	s.call(http.MethodPost, "/admin/tenants/"+id+"/database-credentials", map[string]any{"ttlSeconds": 600, "reason": "Ticket 4711"})
	b := s.signedIn(768, s.key)
	b.visit("/console/tenants/" + id)
	b.see("Ticket 4711")
	b.press("Close")
	b.see("The login has ended.")
	b.see("No login is open.")
	if open := as[[]any](s.call(http.MethodGet, "/admin/tenants/"+id+"/database-credentials", nil)["logins"]); len(open) != 0 {
		t.Errorf("open logins: %v", open)
	}
}
