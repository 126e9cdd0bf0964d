//go:build unix

package main_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestInvitationSettings: the programs use INVITATION_TTL and INVITATION_REMINDER.
func TestInvitationSettings(t *testing.T) {
	w := setup(t)
	w.env["INVITATION_TTL"], w.env["INVITATION_REMINDER"] = "48h", "2h"
	p := w.start(w.createKey("admin"), "serve")
	id := p.call(http.MethodPost, "/admin/tenants", clinic("Clinic")).want(t, http.StatusAccepted).str("tenantId")
	w.waitFor("the tenant", func() bool { return w.registry.Count(tenant.StatusActive) == 1 })
	shown, _ := p.call(http.MethodGet, "/admin/tenants/"+id, nil).want(t, http.StatusOK).body["invitation"].(map[string]any)
	text, _ := shown["expiresAt"].(string)
	end, err := time.Parse(time.RFC3339, text)
	if left := time.Until(end); err != nil || left < 47*time.Hour || left > 48*time.Hour {
		t.Errorf("the invitation lasts %v, %v", left, err)
	}
	if code := p.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	w.mustRun("tenants", "reconcile").want(t, 0, "Nothing was due.")
	w.registry.AgeInvitations(47 * time.Hour)
	w.env["INVITATION_REMINDER"] = "0"
	w.mustRun("tenants", "reconcile").want(t, 0, "Nothing was due.")
	w.env["INVITATION_REMINDER"] = "2h"
	w.mustRun("tenants", "reconcile").want(t, 0, "reminder sent", id)
	if mails := w.mail.Messages(); len(mails) != 2 {
		t.Errorf("%d mails, want the welcome mail and the reminder", len(mails))
	}
}
