package api_test

import (
	"net/http"
	"testing"
	"time"
)

// invitation is what a tenant says about its administrator's newest invitation.
func (b *testServer) invitation(id string) map[string]any {
	b.t.Helper()
	return as[map[string]any](b.do(http.MethodGet, "/admin/tenants/"+id, nil).want(http.StatusOK).json["invitation"])
}

// wantInvitation checks the status of a tenant's invitation, which of its times are set, and
// that the list of the status has the tenant alone.
func (b *testServer) wantInvitation(id, status string, set ...string) {
	b.t.Helper()
	got := b.invitation(id)
	if got["status"] != status {
		b.t.Errorf("%v, want %s", got, status)
	}
	wanted := map[string]bool{}
	for _, name := range set {
		wanted[name] = true
	}
	for _, name := range []string{"sentAt", "expiresAt", "acceptedAt"} {
		if value, ok := got[name]; !ok || (value != nil) != wanted[name] {
			b.t.Errorf("%s: %s is %v", status, name, value)
		}
	}
	for _, listed := range []string{"NONE", "PENDING", "ACCEPTED", "EXPIRED", "REVOKED"} {
		want := 0.0
		if listed == status {
			want = 1
		}
		for _, filter := range []string{"", "&externalId=crm-1"} {
			if page := b.do(http.MethodGet, "/admin/tenants?invitation="+listed+filter, nil).want(http.StatusOK); page.json["total"] != want {
				b.t.Errorf("the list of %s%s: %s", listed, filter, page.text)
			}
		}
	}
}

// TestServer_InvitationStatus: a tenant says what became of the newest invitation.
func TestServer_InvitationStatus(t *testing.T) {
	b := setup(t)
	body := clinic()
	body["externalId"] = "crm-1"
	id := as[string](b.createActive(body)["id"])
	path := "/admin/tenants/" + id
	b.wantInvitation(id, "PENDING", "sentAt", "expiresAt")
	b.do(http.MethodGet, "/admin/tenants?invitation=LOST", nil).want(http.StatusBadRequest)

	version := b.do(http.MethodGet, path, nil).want(http.StatusOK).json["version"]
	b.accept(b.invitationTokens()[0], password).want(http.StatusOK)
	b.wantInvitation(id, "ACCEPTED", "sentAt", "expiresAt", "acceptedAt")
	if now := b.do(http.MethodGet, path, nil).want(http.StatusOK).json["version"]; now == version {
		t.Errorf("the version is still %v", now)
	}

	b.do(http.MethodPost, path+"/invite", nil).want(http.StatusOK)
	b.wantInvitation(id, "PENDING", "sentAt", "expiresAt")
	b.registry.ExpireInvitations()
	b.wantInvitation(id, "EXPIRED", "sentAt", "expiresAt")
	tokens := b.invitationTokens()
	b.invited("renew", map[string]any{"token": tokens[len(tokens)-1]}).want(http.StatusOK)
	b.wantInvitation(id, "PENDING", "sentAt", "expiresAt")
	tokens = b.invitationTokens()
	b.accept(tokens[len(tokens)-1], password).want(http.StatusOK)

	// The change of an address ends even an invitation that was accepted: another person is to
	// choose a password. The answer shows it.
	changed := b.do(http.MethodPatch, path, map[string]any{"adminEmail": "grace@st-marys.example"}).want(http.StatusOK)
	if got := as[map[string]any](changed.json["invitation"]); got["status"] != "REVOKED" || changed.json["welcomeEmailStatus"] != "PENDING" {
		t.Errorf("%s", changed.text)
	}
	b.do(http.MethodPost, path+"/invite", nil).want(http.StatusOK)
	b.wantInvitation(id, "PENDING", "sentAt", "expiresAt")
	b.do(http.MethodPatch, path, map[string]any{"adminPassword": another}).want(http.StatusOK)
	b.wantInvitation(id, "REVOKED", "sentAt", "expiresAt")
	b.do(http.MethodPost, path+"/invite", nil).want(http.StatusOK)
	b.do(http.MethodDelete, path, nil).want(http.StatusOK)
	b.wantInvitation(id, "REVOKED", "sentAt", "expiresAt")
	b.do(http.MethodPost, path+"/unarchive", nil).want(http.StatusOK)
	b.wantInvitation(id, "REVOKED", "sentAt", "expiresAt")
}

// TestServer_InvitationOfUnsentMail: the invitation exists before its mail was sent.
func TestServer_InvitationOfUnsentMail(t *testing.T) {
	b := setup(t)
	b.mail.RejectRecipients(451, "4.3.0 later", -1)
	id := as[string](b.createActive(clinic())["id"])
	if got := b.invitation(id); got["status"] != "PENDING" || got["sentAt"] != nil || got["expiresAt"] == nil {
		t.Errorf("%v", got)
	}
	b.mail.RejectRecipients(0, "", 0)
	b.do(http.MethodPost, "/admin/tenants/"+id+"/invite", nil).want(http.StatusOK)
	if got := b.invitation(id); got["status"] != "PENDING" || got["sentAt"] == nil {
		t.Errorf("%v", got)
	}
}

// TestServer_InvitationOfLongAgo: an invitation that nobody renewed shows EXPIRED, and as long as it
// does, its link can be renewed. Once replaced, it is deleted.
func TestServer_InvitationOfLongAgo(t *testing.T) {
	b := setup(t)
	id := as[string](b.createActive(clinic())["id"])
	token := b.invitationTokens()[0]
	deleted := func() int64 {
		t.Helper()
		b.registry.AgeInvitations(100 * 24 * time.Hour)
		rows, err := b.db.DeleteExpired(t.Context(), 7*24*time.Hour, time.Hour, 10)
		if err != nil {
			t.Fatal(err)
		}
		return rows.Invitations
	}
	if n := deleted(); n != 0 || b.invitation(id)["status"] != "EXPIRED" {
		t.Errorf("%d invitations were deleted; the tenant shows %v", n, b.invitation(id))
	}
	b.wantStatus(token, "EXPIRED")
	b.invited("renew", map[string]any{"token": token}).want(http.StatusOK)
	if n := deleted(); n != 1 {
		t.Errorf("%d invitations were deleted, want the one that was replaced", n)
	}
	b.inspect(token).want(http.StatusNotFound)
	b.wantStatus(b.invitationTokens()[1], "EXPIRED")
	b.do(http.MethodDelete, "/admin/tenants/"+id, nil).want(http.StatusOK)
	if n := deleted(); n != 1 {
		t.Errorf("%d invitations were deleted, want that of the archived tenant", n)
	}
}
