//go:build unix

package main_test

import "testing"

// TestTenantsReconcile: the command sends the failure mails that are left, and says so.
func TestTenantsReconcile(t *testing.T) {
	w := setup(t)
	w.mustRun("migrate", "up")
	w.mustRun("tenants", "reconcile").want(t, 0, "Nothing was due.")
	w.registry.AddFailed(1)
	w.registry.MakeFailureMailsDue()
	w.mustRun("tenants", "reconcile").want(t, 0, "failure mail sent")
	if mails := w.mail.Messages(); len(mails) != 1 || mails[0].Subject != "N1 could not be set up yet" {
		t.Errorf("%+v", mails)
	}
	w.mustRun("tenants", "reconcile").want(t, 0, "Nothing was due.")
}
