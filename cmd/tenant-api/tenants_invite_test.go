//go:build unix

package main_test

import "testing"

// TestTenantsInvite: another mail to the admin of a live tenant, and what became of it.
func TestTenantsInvite(t *testing.T) {
	w := setup(t)
	id := w.createTenants("Clinic")[0]
	w.run("tenants", "invite", "name:Nobody").want(t, 1, "there is no tenant named Nobody")
	w.run("tenants", "invite").want(t, 2, "give one tenant, as an id or name:NAME")
	w.mustRun("tenants", "invite", id).want(t, 0, "is SENT. Invitation: PENDING, until ")
	if n := len(w.mail.Messages()); n != 2 {
		t.Errorf("%d mails, want two", n)
	}
	if w.registry.Invitations() != 1 {
		t.Error("the first invitation can still be used")
	}
	w.printed(0, "tenants", "invite", id, "--json")
	w.mail.RejectRecipients(550, "5.1.1 no such user", -1)
	w.run("tenants", "invite", id).want(t, 1, "Warning: ", "was not delivered; correct the address")
	w.printed(1, "tenants", "invite", id, "--json")
	w.mail.RejectRecipients(451, "4.3.0 later", -1)
	w.run("tenants", "invite", id).want(t, 0, "Warning: ", "is PENDING. Invitation: PENDING, until ", "mail not confirmed")
}
