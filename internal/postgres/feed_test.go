package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// feed runs one as long as the test, and waits until it listens.
func (b bundle) feed() *postgres.Feed {
	b.t.Helper()
	f := postgres.NewFeed(b.DB)
	first, stop := f.Watch(uuid.New())
	defer stop()
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	b.t.Cleanup(func() { cancel(); <-done })
	await(b.t, first, "the connection")
	return f
}

func await(t *testing.T, changed <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-changed:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s was not told", what)
	}
}

func TestFeed(t *testing.T) {
	t.Parallel()
	t.Run("TellsOtherProcesses", func(t *testing.T) {
		b := setup(t)
		here, there := b.feed(), b.feed()
		tenant, other := uuid.New(), uuid.New()
		mine, stop := there.Watch(tenant)
		defer stop()
		others, stopOthers := there.Watch(other)
		defer stopOthers()
		here.Observe(t.Context(), provisioning.Event{Tenant: provisioning.Tenant{ID: tenant}})
		await(t, mine, "the change")
		select {
		case <-others:
			t.Error("another tenant's watcher was told")
		default:
		}
	})
	t.Run("SurvivesALostConnection", func(t *testing.T) {
		b := setup(t)
		f := b.feed()
		tenant := uuid.New()
		changed, stop := f.Watch(tenant)
		defer stop()
		b.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database()`)
		await(t, changed, "that something may have been missed")
		b.exec(`SELECT pg_notify('healthcare_tenants', $1)`, tenant.String())
		await(t, changed, "the change after it")
	})
	t.Run("StoppedWatchersAreForgotten", func(t *testing.T) {
		b := setup(t)
		f := postgres.NewFeed(b.DB)
		tenant := uuid.New()
		gone, stop := f.Watch(tenant)
		stays, stopStays := f.Watch(tenant)
		defer stopStays()
		stop()
		f.Changed(tenant)
		await(t, stays, "the one that stays")
		select {
		case <-gone:
			t.Error("it was told after its end")
		default:
		}
	})
}

func TestDB_Changes(t *testing.T) {
	b := setup(t)
	run := b.begin(inputs("Clinic"))
	first, err := b.Changes(t.Context(), run.Tenant.ID, 0)
	if err != nil || len(first.Entries) != 1 || first.Entries[0].Step != provisioning.StepCreateTenantRecord {
		t.Fatalf("%+v, %v", first, err)
	}
	if err := b.PrepareSchema(t.Context(), run, b.seed()); err != nil {
		t.Fatal(err)
	}
	second, err := b.Changes(t.Context(), run.Tenant.ID, first.Entries[0].Change)
	if err != nil || len(second.Entries) != 4 {
		t.Fatalf("%+v, %v", second, err)
	}
	last := second.Entries[3]
	if last.Step != provisioning.StepDeploySorobanContract || last.Status != provisioning.StepInProgress {
		t.Errorf("the last change is %+v", last)
	}
	if _, err := b.Advance(t.Context(), run, final()); err != nil {
		t.Fatal(err)
	}
	third, err := b.Changes(t.Context(), run.Tenant.ID, last.Change) // The row that changed again comes again.
	if err != nil || len(third.Entries) != 3 || third.Entries[0].Step != last.Step || third.Entries[0].Status != provisioning.StepCompleted ||
		third.Tenant.Status != provisioning.StatusActive {
		t.Errorf("%+v, %v", third, err)
	}
	if none, err := b.Changes(t.Context(), run.Tenant.ID, third.Entries[2].Change); err != nil || len(none.Entries) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	_, err = b.Changes(t.Context(), uuid.New(), 0)
	wantKind(t, err, provisioning.KindNotFound)
}

// TestDB_DueMail: a mail that is worth trying again is due later and later, and at
// last given up.
func TestDB_DueMail(t *testing.T) {
	b := setup(t)
	run := b.begin(inputs("Clinic"))
	if err := b.PrepareSchema(t.Context(), run, b.seed()); err != nil {
		t.Fatal(err)
	}
	end := final()
	end.WelcomeEmail = provisioning.WelcomeEmailPending
	if _, err := b.Advance(t.Context(), run, end); err != nil {
		t.Fatal(err)
	}
	pause := func() time.Duration {
		return value[time.Duration](b, `SELECT welcome_email_due - updated_at FROM tenants`).Round(time.Second)
	}
	record := provisioning.StepRecord{Step: provisioning.StepSendWelcomeEmail, Status: provisioning.StepFailed, Error: "busy"}
	pauses := []time.Duration{pause()}
	var got provisioning.Tenant
	for range 11 {
		var err error
		if got, err = b.RecordWelcome(t.Context(), run.Tenant.ID, provisioning.WelcomeEmailPending, record); err != nil {
			t.Fatal(err)
		}
		if got.WelcomeEmail != provisioning.WelcomeEmailPending {
			t.Fatalf("after %v: %s", pauses, got.WelcomeEmail)
		}
		pauses = append(pauses, pause())
	}
	if pauses[0] != time.Minute || pauses[1] != 2*time.Minute || pauses[5] != 32*time.Minute || pauses[11] != 6*time.Hour {
		t.Errorf("pauses %v", pauses)
	}
	got, err := b.RecordWelcome(t.Context(), run.Tenant.ID, provisioning.WelcomeEmailPending, record)
	if err != nil || got.WelcomeEmail != provisioning.WelcomeEmailFailed || value[bool](b, `SELECT welcome_email_due IS NOT NULL FROM tenants`) {
		t.Errorf("%s, %v", got.WelcomeEmail, err)
	}
	if got, err = b.RecordWelcome(t.Context(), run.Tenant.ID, provisioning.WelcomeEmailSent, provisioning.StepRecord{Step: provisioning.StepSendWelcomeEmail, Status: provisioning.StepCompleted}); err != nil ||
		got.WelcomeEmail != provisioning.WelcomeEmailSent || value[int](b, `SELECT welcome_email_tries FROM tenants`) != 0 {
		t.Errorf("%s, %v", got.WelcomeEmail, err)
	}
}
