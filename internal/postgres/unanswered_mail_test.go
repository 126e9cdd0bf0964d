package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestDB_UnansweredMail: a mail that the mail server may have is claimed by its conversation,
// and by nobody to send it again.
func TestDB_UnansweredMail(t *testing.T) {
	b := setup(t)
	active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	var mail provisioning.MailRef
	invite := func() (serial int, err error) {
		_, ref, err := b.CreateInvitation(t.Context(), active.ID, invitation.NewInvitation(time.Now().Add(invitation.DefaultTTL)), time.Hour)
		if err == nil {
			mail = ref
		}
		return ref.Serial, err
	}
	record := func(o provisioning.WelcomeOutcome) error {
		t.Helper()
		if o.Claim == 0 {
			o.Claim = mail.Claim
		}
		o.Record = tenant.StepRecord{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepFailed, Error: "x"}
		_, err := b.RecordWelcome(t.Context(), active.ID, o)
		return err
	}
	due := func() []provisioning.DueMail {
		t.Helper()
		got, err := b.ClaimDueWelcomeMails(t.Context(), time.Minute, 10)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	end := func() { b.Exec(`UPDATE tenants SET welcome_email_due_at = now()`) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	serial, err := invite()
	must(err)
	if got := due(); serial != 2 || len(got) != 0 || value[string](b, `SELECT welcome_email FROM tenants`) != "PENDING" {
		t.Errorf("serial %d, due %v: want a mail that belongs to its conversation", serial, got)
	}
	earlier := provisioning.MailRef{Tenant: active.ID, Attempt: active.Attempt, Serial: 1, Claim: 1}
	postgrestest.WantKind(t, b.MarkUnanswered(t.Context(), earlier, true), errs.KindConflict)
	must(record(provisioning.WelcomeOutcome{Status: tenant.WelcomeEmailPending, Hold: time.Hour}))
	if got := due(); len(got) != 0 || value[int](b, `SELECT welcome_email_failures FROM tenants`) != 0 {
		t.Errorf("due %v", got)
	}
	end()
	if got := due(); len(got) != 1 || got[0] != (provisioning.DueMail{Tenant: active.ID, Claim: mail.Claim}) {
		t.Errorf("due %v: its process died before the final dot, so it is sent", got)
	}
	must(b.MarkUnanswered(t.Context(), mail, true))
	if _, err := invite(); !errors.Is(err, provisioning.ErrMailUnanswered) {
		t.Errorf("%v, want no second mail", err)
	}
	end()
	for range 2 { // It stays due until that is recorded.
		if got := due(); len(got) != 1 || !got[0].Unanswered {
			t.Errorf("due %v", got)
		}
	}
	for _, status := range []tenant.WelcomeEmailStatus{tenant.WelcomeEmailSent, tenant.WelcomeEmailPending, tenant.WelcomeEmailFailed} {
		postgrestest.WantKind(t, record(provisioning.WelcomeOutcome{Status: status, Claim: earlier.Claim}), errs.KindConflict)
	}
	for range 2 { // The answer may be lost.
		must(record(provisioning.WelcomeOutcome{Status: tenant.WelcomeEmailFailed}))
	}
	postgrestest.WantKind(t, record(provisioning.WelcomeOutcome{Status: tenant.WelcomeEmailSent}), errs.KindConflict) // Too late.
	if serial, err = invite(); err != nil || serial != 2 {
		t.Errorf("serial %d, %v: the first mail may have been delivered, so this one is the same", serial, err)
	}
	must(record(provisioning.WelcomeOutcome{Status: tenant.WelcomeEmailPending, Hold: time.Hour, Unanswered: true}))
	must(b.MarkUnanswered(t.Context(), mail, false)) // It was refused after all.
	if value[bool](b, `SELECT welcome_email_unanswered FROM tenants`) {
		t.Error("a refused mail counts as unanswered")
	}
}

// TestDB_UnansweredMailOfRun: the next run of a tenant knows that the mail server may have its
// mail; the next attempt has a mail of its own.
func TestDB_UnansweredMailOfRun(t *testing.T) {
	b := setup(t)
	run := b.ClaimNew(postgrestest.Inputs("Clinic"))
	if err := b.MarkUnanswered(t.Context(), provisioning.MailRef{Tenant: run.Tenant.ID, Attempt: 1, Serial: run.MailSerial, Claim: run.MailClaim}, true); err != nil {
		t.Fatal(err)
	}
	b.Exec(`UPDATE tenants SET run_expires_at = now() - interval '1 second'`)
	lease := provisioning.LeaseRequest{Owner: "next", TTL: time.Minute}
	next, err := b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimResume, lease)
	if err != nil || !next.Unanswered {
		t.Fatalf("%+v, %v", next, err)
	}
	if err := b.BeginRollback(t.Context(), next, provisioning.RollbackToFailed, tenant.StepRecord{Step: tenant.StepCreateSchema, Status: tenant.StepFailed, Error: "x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.RollBack(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	again, err := b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimRetry, lease)
	if err != nil || again.Unanswered || again.Tenant.Attempt != 2 {
		t.Errorf("%+v, %v", again, err)
	}
}
