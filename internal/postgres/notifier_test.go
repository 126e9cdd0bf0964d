package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/notify"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// notifier runs a notifier for the duration of the test and waits until it listens.
func (b fixture) notifier() *notify.Notifier {
	b.T.Helper()
	notifier := notify.New(b.DB.DB)
	subscribed, stop := notifier.Watch(uuid.New())
	defer stop()
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.T.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		notifier.Run(ctx)
	}()
	b.T.Cleanup(func() { cancel(); <-done })
	awaitChange(b.T, subscribed, "the connection")
	return notifier
}

func awaitChange(t *testing.T, changed <-chan struct{}, event string) {
	t.Helper()
	select {
	case <-changed:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s was not notified", event)
	}
}

func TestNotifier(t *testing.T) {
	t.Parallel()
	t.Run("NotifiesOtherProcesses", func(t *testing.T) {
		b := setup(t)
		sender, receiver := b.notifier(), b.notifier()
		run, other := b.ClaimNew(postgrestest.Inputs("Clinic")), b.ClaimNew(postgrestest.Inputs("Other"))
		changes, stop := receiver.Watch(run.Tenant.ID)
		defer stop()
		otherChanges, stopOthers := receiver.Watch(other.Tenant.ID)
		defer stopOthers()
		sender.NotifyChanged(other.Tenant.ID)
		awaitChange(t, changes, "the first look")
		awaitChange(t, otherChanges, "the first look")
		awaitStep := func(what string) {
			t.Helper()
			sender.Observe(t.Context(), provisioning.Event{Tenant: run.Tenant})
			awaitChange(t, changes, what)
		}
		b.Must(b.PrepareSchema(t.Context(), run, b.Seed()))
		awaitStep("a step")
		b.Must(b.Release(t.Context(), run, tenant.StepRecord{Step: tenant.StepDeploySorobanContract, Status: tenant.StepFailed, Error: "busy"}))
		awaitStep("a change of the log alone")
		b.Exec(`UPDATE tenants SET version = version + 1 WHERE id = $1`, run.Tenant.ID)
		awaitStep("a change of the tenant alone")
		select {
		case <-otherChanges:
			t.Error("another tenant's subscriber was notified")
		default:
		}
	})
	t.Run("SurvivesLostConnection", func(t *testing.T) {
		b := setup(t)
		f := b.notifier()
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		changed, stop := f.Watch(run.Tenant.ID)
		defer stop()
		b.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database()`)
		awaitChange(t, changed, "that something may have been missed")
		b.Exec(`SELECT pg_notify('healthcare_tenants', '')`)
		awaitChange(t, changed, "the first look since then")
	})
	t.Run("RemovesStoppedSubscribers", func(t *testing.T) {
		b := setup(t)
		f := notify.New(b.DB.DB)
		tenantID := uuid.New()
		stopped, stop := f.Watch(tenantID)
		running, stopRunning := f.Watch(tenantID)
		defer stopRunning()
		stop()
		f.NotifyChanged(tenantID)
		awaitChange(t, running, "the one that stays")
		select {
		case <-stopped:
			t.Error("the subscriber was notified after it stopped")
		default:
		}
	})
}

func TestDB_Changes(t *testing.T) {
	b := setup(t)
	run := b.ClaimNew(postgrestest.Inputs("Clinic"))
	first, err := b.Changes(t.Context(), run.Tenant.ID, 0)
	if err != nil || len(first.Entries) != 1 || first.Entries[0].Step != tenant.StepCreateTenantRecord {
		t.Fatalf("%+v, %v", first, err)
	}
	if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
		t.Fatal(err)
	}
	second, err := b.Changes(t.Context(), run.Tenant.ID, first.Entries[0].Change)
	if err != nil || len(second.Entries) != 4 {
		t.Fatalf("%+v, %v", second, err)
	}
	last := second.Entries[3]
	if last.Step != tenant.StepDeploySorobanContract || last.Status != tenant.StepInProgress {
		t.Errorf("the last change is %+v", last)
	}
	if _, err := b.Advance(t.Context(), run, postgrestest.Activation()); err != nil {
		t.Fatal(err)
	}
	third, err := b.Changes(t.Context(), run.Tenant.ID, last.Change) // A row that changed again is returned again.
	if err != nil || len(third.Entries) != 3 || third.Entries[0].Step != last.Step || third.Entries[0].Status != tenant.StepCompleted ||
		third.Tenant.Status != tenant.StatusActive {
		t.Errorf("%+v, %v", third, err)
	}
	if unchanged, err := b.Changes(t.Context(), run.Tenant.ID, third.Entries[2].Change); err != nil || len(unchanged.Entries) != 0 {
		t.Errorf("%+v, %v", unchanged, err)
	}
	_, err = b.Changes(t.Context(), uuid.New(), 0)
	postgrestest.WantKind(t, err, errs.KindNotFound)
}

// TestDB_ClaimDueMail: the retry delay of a mail grows with each attempt until
// the mail fails.
func TestDB_ClaimDueMail(t *testing.T) {
	b := setup(t)
	run := b.ClaimNew(postgrestest.Inputs("Clinic"))
	if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
		t.Fatal(err)
	}
	progress := postgrestest.Activation()
	progress.WelcomeEmail = tenant.WelcomeEmailPending
	if _, err := b.Advance(t.Context(), run, progress); err != nil {
		t.Fatal(err)
	}
	untilDue := func() time.Duration {
		return value[time.Duration](b, `SELECT welcome_email_due_at - updated_at FROM tenants`).Round(time.Second)
	}
	record := tenant.StepRecord{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepFailed, Error: "busy"}
	delays := []time.Duration{untilDue()}
	var got tenant.Tenant
	claim := run.MailClaim
	for range 11 {
		var err error
		if got, err = b.RecordWelcome(t.Context(), run.Tenant.ID, provisioning.WelcomeOutcome{Status: tenant.WelcomeEmailPending, Record: record, Claim: claim}); err != nil {
			t.Fatal(err)
		}
		if got.WelcomeEmail != tenant.WelcomeEmailPending {
			t.Fatalf("after %v: %s", delays, got.WelcomeEmail)
		}
		delays = append(delays, untilDue())
	}
	if delays[0] != time.Minute || delays[1] != 2*time.Minute || delays[5] != 32*time.Minute || delays[11] != 6*time.Hour {
		t.Errorf("pauses %v", delays)
	}
	got, err := b.RecordWelcome(t.Context(), run.Tenant.ID, provisioning.WelcomeOutcome{Status: tenant.WelcomeEmailPending, Record: record, Claim: claim})
	if err != nil || got.WelcomeEmail != tenant.WelcomeEmailFailed || value[bool](b, `SELECT welcome_email_due_at IS NOT NULL FROM tenants`) {
		t.Errorf("%s, %v", got.WelcomeEmail, err)
	}
	_, ref, err := b.CreateInvitation(t.Context(), run.Tenant.ID, invitation.NewInvitation(time.Now().Add(invitation.DefaultTTL)), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if got, err = b.RecordWelcome(t.Context(), run.Tenant.ID, provisioning.WelcomeOutcome{Status: tenant.WelcomeEmailSent, Record: tenant.StepRecord{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepCompleted}, Claim: ref.Claim}); err != nil ||
		got.WelcomeEmail != tenant.WelcomeEmailSent || value[int](b, `SELECT welcome_email_failures FROM tenants`) != 0 {
		t.Errorf("%s, %v", got.WelcomeEmail, err)
	}
}
