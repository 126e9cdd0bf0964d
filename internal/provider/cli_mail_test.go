//go:build unix

package provider_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail/mailtest"
)

// TestCLITenant_MailServerWithoutAnswer: with a mail server that takes the mail and does not
// answer, an apply ends with a warning, and the registry says that the mail is not confirmed once
// the provider's process has ended. Only the next apply sends it again.
func TestCLITenant_MailServerWithoutAnswer(t *testing.T) {
	w := setup(t, databaseMode, clinic)
	server := mailtest.Start(t)
	server.At(mailtest.Dot, server.Hang(nil))
	w.env["MAIL_HOST"], w.env["MAIL_PORT"], w.env["MAIL_TLS"] = "127.0.0.1", strconv.Itoa(server.Port()), "none"
	w.mustApply().wantText(t, "Welcome mail not confirmed", "the mail server has the mail and has not answered yet", "terraform plan shows what became of the mail")
	if s := w.state("healthcare_tenant.clinic"); s["status"] != "ACTIVE" || s["welcome_email_status"] != "PENDING" || s["tainted"] == true {
		t.Errorf("state %v", s)
	}
	if w.registry.UnansweredMail() == 1 { // On a busy machine, the process was killed before it could record the end.
		w.mustApply().wantText(t, "the mail server has the mail and has not answered yet")
		if n := len(server.Copies()); n != 1 {
			t.Errorf("%d copies while the mail may be answered", n)
		}
		return
	}
	w.run("plan", "-no-color").wantText(t, `"FAILED" -> (known after apply)`, "1 to change")
	if n := len(server.Copies()); n != 1 {
		t.Errorf("%d copies before anybody asked for another one", n)
	}
	server.At(mailtest.Dot, nil)
	w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed")
	if s := w.state("healthcare_tenant.clinic"); s["welcome_email_status"] != "SENT" {
		t.Errorf("state %v", s)
	}
	if ids := server.Copies(); len(ids) != 2 || len(slices.Compact(ids)) != 1 {
		t.Errorf("the server got %q, want two copies with one Message-ID", ids)
	}
}

// TestCLI_WaitsForWorker: where no worker runs, each run of Terraform says what waits for one.
func TestCLI_WaitsForWorker(t *testing.T) {
	w := setup(t, databaseMode, clinic)
	wantNone := func(r result) {
		t.Helper()
		if strings.Contains(r.out, "waits for a worker") {
			t.Error(r.out)
		}
	}
	wantNone(w.mustApply())
	w.registry.AgeInvitations(invitation.DefaultTTL - time.Hour)
	w.run("plan", "-no-color").wantText(t, "Warning: Work waits for a worker", "Waiting for more than 10 minutes: 1 reminder of an invitation. No worker", "tenant-api tenants reconcile", "No changes.")
	w.env["INVITATION_REMINDER"] = "0s"
	wantNone(w.run("plan", "-no-color"))
}
