package provisioning_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

func TestService_LostResponses(t *testing.T) {
	t.Parallel()

	// Long enough for a run, short enough to wait for.
	opts := provisioning.PipelineOptions{LeaseTTL: time.Second, Heartbeat: 100 * time.Millisecond}
	for _, call := range []string{"Create", "PrepareSchema", "Advance"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.process()
			p.after = losing(call)
			out, err := p.service(opts).Provision(t.Context(), clinic())
			if err != nil {
				t.Fatal(err)
			}
			w.invariants("lost response", out.Tenant.ID)
			if len(w.mails) != 1 {
				t.Errorf("%d mails", len(w.mails))
			}
		})
	}
	for _, call := range []string{"BeginRollback", "RollBack"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.process()
			p.after = losing(call)
			p.deployErr = func(int) error { return errs.Errorf(errs.KindPermanent, "deploy", "no funds") }
			out, err := p.service(opts).Provision(t.Context(), clinic())
			if errs.KindOf(err) != errs.KindPermanent || out.Tenant.Status != tenant.StatusFailed || w.failures != 1 {
				t.Errorf("%+v, %d failure mails, %v", out.Tenant, w.failures, err)
			}
		})
	}
	t.Run("Claim", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		service := w.process().service(opts)
		c := w.unclaimed()
		p := w.process()
		p.after = losing("Claim")
		if _, err := p.service(opts).Retry(t.Context(), c.Tenant.ID); err != nil {
			t.Fatal(err)
		}
		w.invariants("lost claim", c.Tenant.ID)
		if _, err := service.Retry(t.Context(), c.Tenant.ID); errs.KindOf(err) != errs.KindConflict {
			t.Errorf("a live tenant was resumed: %v", err)
		}
	})
	t.Run("RecordWelcome", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.process()
		p.mailErr = func(int) error { return errs.Errorf(errs.KindPermanent, "send", "refused") }
		out, err := p.service(opts).Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		p.mailErr, p.after = nil, losing("RecordWelcome")
		ctx, cancel := context.WithCancel(t.Context())
		p.meanwhileAt, p.meanwhile = p.points+2, cancel // As soon as the mail is sent.
		again, err := p.service(opts).Invite(ctx, out.Tenant.ID)
		if err != nil || again.Tenant.WelcomeEmail != tenant.WelcomeEmailSent || len(w.mails) != 1 {
			t.Errorf("%+v, %d mails, %v", again, len(w.mails), err)
		}
	})

	// The commit that makes the tenant live releases the lease. A renewal rejected
	// after it does not mean that another process holds the tenant.
	t.Run("HeartbeatBeforeRepeatedAdvance", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p, refused := w.process(), make(chan struct{})
		commits := 0
		p.after = func(call string, err error) error {
			switch {
			case call == "Reconcile" && errs.KindOf(err) == errs.KindFenced:
				close(refused)
			case call == "Advance":
				if commits++; commits == 2 {
					select {
					case <-refused:
					case <-time.After(10 * time.Second):
						t.Error("no renewal was rejected")
					}
					return errLost
				}
			}
			return err
		}
		out, err := p.service(provisioning.PipelineOptions{Heartbeat: 20 * time.Millisecond}).Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		w.invariants("rejected heartbeat", out.Tenant.ID)
	})
}

func draft(t *testing.T) tenant.Draft {
	t.Helper()
	d, err := tenant.NewDraft(clinic(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestService_ArchiveKeepsSchemaOfSuspendedTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live := w.clinics(1)[0]
	w.registry.SetStatus(live.ID.String(), tenant.StatusSuspended)
	got, err := w.process().service(provisioning.PipelineOptions{}).Archive(t.Context(), live.ID)
	if err != nil || got.Status != tenant.StatusArchived || !got.WasLive() {
		t.Errorf("%+v, %v", got, err)
	}
	if n := w.count(`SELECT count(*) FROM pg_namespace WHERE nspname = $1`, live.SchemaName); n != 1 {
		t.Error("the schema is missing")
	}
}

// TestService_ArchiveAtEveryPoint archives a tenant before and after each call
// of the run that provisions it.
func TestService_ArchiveAtEveryPoint(t *testing.T) {
	t.Parallel()
	for at := 2; ; at++ { // After the tenant is recorded: before, there is nothing to archive.
		w := newWorld(t)
		p := w.process()
		var archived tenant.Tenant
		var archiving error
		p.meanwhileAt, p.meanwhile = at, func() {
			archived, archiving = w.process().service(provisioning.PipelineOptions{}).Archive(t.Context(), w.only().ID)
		}
		_, err := p.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
		if p.points < at {
			if at < 10 {
				t.Errorf("only %d points", at)
			}
			return
		}
		if archiving != nil || archived.Status != tenant.StatusArchived {
			t.Fatalf("point %d: %+v, %v", at, archived, archiving)
		}
		if kind := errs.KindOf(err); kind != errs.KindFenced && !archived.WasLive() {
			t.Errorf("point %d: the run ended with %v", at, err)
		}
		got, err := w.db.Get(t.Context(), archived.ID)
		if err != nil || got.Status != tenant.StatusArchived {
			t.Errorf("point %d: %+v, %v", at, got, err)
		}
		want := 0
		if archived.WasLive() {
			want = 1
		}
		if n := w.count(`SELECT count(*) FROM pg_namespace WHERE nspname = $1`, got.SchemaName); n != want {
			t.Errorf("point %d: %d schemas, want %d", at, n, want)
		}
		if n := w.registry.OpenSteps(); n != 0 {
			t.Errorf("point %d: %d steps never ended", at, n)
		}
	}
}

func TestService_Archive_SupersededByAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.process()
	c := w.unclaimed()
	p.meanwhileAt, p.meanwhile = 1, func() { // Claimed for the rollback, not rolled back yet.
		if _, err := w.process().service(provisioning.PipelineOptions{}).Archive(t.Context(), c.Tenant.ID); err != nil {
			t.Error(err)
		}
	}
	got, err := p.service(provisioning.PipelineOptions{}).Archive(t.Context(), c.Tenant.ID)
	if err != nil || got.Status != tenant.StatusArchived {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestService_Archive_ActivatedAfterRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.unclaimed()
	p, reads := w.process(), 0
	p.after = func(call string, err error) error {
		if call == "Get" {
			if reads++; reads == 1 {
				if _, err := w.process().service(provisioning.PipelineOptions{}).Retry(t.Context(), c.Tenant.ID); err != nil {
					t.Error(err)
				}
			}
		}
		return err
	}
	got, err := p.service(provisioning.PipelineOptions{}).Archive(t.Context(), c.Tenant.ID)
	if err != nil || got.Status != tenant.StatusArchived || !got.WasLive() || reads != 2 {
		t.Errorf("%+v after %d reads, %v", got, reads, err)
	}
	if n := w.count(`SELECT count(*) FROM pg_namespace WHERE nspname = $1`, got.SchemaName); n != 1 {
		t.Error("a tenant that was live lost its schema")
	}
}

func TestService_Update_WhileProvisioning(t *testing.T) {
	t.Parallel()
	for at := 2; ; at++ {
		w := newWorld(t)
		p := w.process()
		changed := clinic()
		changed.AdminEmail, changed.Name = "grace@clinic.example", "Hospital"
		p.meanwhileAt, p.meanwhile = at, func() {
			if _, err := w.process().service(provisioning.PipelineOptions{}).Update(t.Context(), w.only().ID, changed, 0); err != nil {
				t.Errorf("point %d: %v", at, err)
			}
		}
		out, err := p.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
		if err != nil {
			t.Fatalf("point %d: %v", at, err)
		}
		if p.points < at {
			return
		}
		var email string
		if err := w.db.Pool().QueryRow(t.Context(), `SELECT email FROM `+out.Tenant.SchemaName+`.users`).Scan(&email); err != nil {
			t.Fatal(err)
		}
		got, err := w.db.Get(t.Context(), out.Tenant.ID)
		if err != nil || !got.Inputs().Equal(changed) || email != changed.AdminEmail {
			t.Errorf("point %d: %+v, admin %s, %v", at, got, email, err)
		}
	}
}

func TestService_Provision_NewInputsAfterInterruptedRollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.process()
	p.deployErr = func(int) error { return errs.Errorf(errs.KindPermanent, "deploy", "no funds") }
	p.after = func(call string, err error) error {
		if call == "BeginRollback" {
			return errDead
		}
		return err
	}
	if _, err := p.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic()); errs.KindOf(err) != errs.KindFenced {
		t.Fatal(err)
	}
	w.expireLeases()
	changed := clinic()
	changed.AdminEmail = "grace@clinic.example"
	out, err := w.process().service(provisioning.PipelineOptions{}).Provision(t.Context(), changed)
	if err != nil || !out.Tenant.Inputs().Equal(changed) {
		t.Fatalf("%+v, %v", out, err)
	}
	w.invariants("new inputs", out.Tenant.ID)
	if n := w.count(`SELECT count(*) FROM ` + out.Tenant.SchemaName + `.users WHERE email = 'grace@clinic.example'`); n != 1 {
		t.Error("the admin was not updated")
	}
}

// TestPipeline_Run_ResumeFinishesRollback: the reconciler finishes the rollback of a
// dead process and does not start another attempt.
func TestPipeline_Run_ResumeFinishesRollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.process()
	c, err := w.db.Create(t.Context(), draft(t), provisioning.LeaseRequest{Owner: "dead", TTL: -time.Second})
	if err != nil {
		t.Fatal(err)
	}
	failed := tenant.StepRecord{Step: tenant.StepCreateSchema, Status: tenant.StepFailed, Error: "no room"}
	if err := w.db.BeginRollback(t.Context(), *c.Run, provisioning.RollbackToFailed, failed); err != nil {
		t.Fatal(err)
	}
	pipeline, err := provisioning.NewPipeline(p, p, p, provisioning.PipelineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := pipeline.Run(t.Context(), c.Tenant.ID, provisioning.RunOptions{})
	if err != nil || out.Tenant.Status != tenant.StatusFailed || out.Tenant.Attempt != 1 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestPipeline_RejectsStepOfOtherVersion(t *testing.T) {
	t.Parallel()
	p := &process{world: &world{t: t}}
	pipeline, err := provisioning.NewPipeline(unresponsive{}, p, p, provisioning.PipelineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = pipeline.Continue(t.Context(), provisioning.Run{Checkpoint: "PAINT_THE_WALLS"}, provisioning.RunOptions{})
	if errs.KindOf(err) != errs.KindPermanent || !strings.Contains(errs.SafeMessage(err), "PAINT_THE_WALLS") {
		t.Error(err)
	}
}

func TestService_WelcomeMail(t *testing.T) {
	t.Parallel()

	t.Run("PermanentRejectionWhileStopping", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.process()
		ctx, cancel := context.WithCancel(t.Context())
		p.mailErr = func(int) error {
			cancel()
			return errs.Errorf(errs.KindPermanent, "send", "refused")
		}
		out, err := p.service(provisioning.PipelineOptions{}).Provision(ctx, clinic())
		if err != nil || out.Tenant.Status != tenant.StatusActive || out.Tenant.WelcomeEmail != tenant.WelcomeEmailFailed || w.failures != 0 {
			t.Errorf("%+v, %v", out, err)
		}
	})

	for _, policy := range []provisioning.MailFailurePolicy{provisioning.MailFailureWarn, provisioning.MailFailureFail} {
		t.Run("TransientRejectionWhileStopping/"+string(policy), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.process()
			ctx, cancel := context.WithCancel(t.Context())
			p.mailErr = func(int) error {
				cancel()
				return errs.Errorf(errs.KindTransient, "send", "busy")
			}
			service := p.service(provisioning.PipelineOptions{MailFailure: policy})
			out, err := service.Provision(ctx, clinic())
			if errs.KindOf(err) != errs.KindCancelled || out.Tenant.Status != tenant.StatusProvisioning {
				t.Fatalf("%+v, %v", out, err)
			}
			p.mailErr = nil
			if out, err = service.Retry(t.Context(), out.Tenant.ID); err != nil {
				t.Fatal(err)
			}
			w.invariants("sent by the next run", out.Tenant.ID)
		})
	}

	t.Run("LogKeepsDeployedContract", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.process()
		p.mailErr = func(int) error { return errs.Errorf(errs.KindPermanent, "send", "refused") }
		service := p.service(provisioning.PipelineOptions{MailFailure: provisioning.MailFailureFail})
		var id uuid.UUID
		for range 2 { // The second attempt finds the contract of the first.
			out, err := service.Provision(t.Context(), clinic())
			if errs.KindOf(err) != errs.KindPermanent || out.Tenant.ContractID == "" {
				t.Fatalf("%+v, %v", out, err)
			}
			id = out.Tenant.ID
		}
		log, err := w.db.Log(t.Context(), id, false)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range log {
			got = append(got, string(e.Status))
		}
		if want := "COMPLETED ROLLED_BACK ROLLED_BACK ROLLED_BACK COMPLETED COMPLETED FAILED"; strings.Join(got, " ") != want {
			t.Errorf("log %v, want %s", got, want)
		}
	})

	t.Run("ResendIsObserved", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.process()
		var events []string
		service := p.service(provisioning.PipelineOptions{Observer: func(_ context.Context, e provisioning.Event) {
			events = append(events, fmt.Sprintf("%s %s %v", e.Step, e.Status, e.Cause))
		}})
		out, err := service.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		events = nil
		p.mailErr = func(int) error { return errs.Errorf(errs.KindPermanent, "send", "refused") }
		again, err := service.Invite(t.Context(), out.Tenant.ID)
		if err != nil || again.Tenant.WelcomeEmail != tenant.WelcomeEmailFailed || len(again.Warnings) != 1 {
			t.Errorf("%+v, %v", again, err)
		}
		if !slices.Equal(events, []string{"SEND_WELCOME_EMAIL FAILED send: refused"}) {
			t.Errorf("events %q", events)
		}
	})
}

// TestService_Provision_LockedOut: a lock on a registry table that lasts
// longer than the wait limit delays a run and does not end it.
func TestService_Provision_LockedOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := w.registry.LockInvitations()
	tries := 0
	out, err := w.process().service(provisioning.PipelineOptions{Observer: func(_ context.Context, e provisioning.Event) {
		if e.Step == tenant.StepCreateSchema && e.Message != "" {
			if tries++; tries == 1 {
				release()
			}
		}
	}}).Provision(t.Context(), clinic())
	if err != nil || tries != 1 {
		t.Fatalf("%d tries, %+v, %v", tries, out, err)
	}
	w.invariants("after a lock", out.Tenant.ID)
}

// unresponsive is a registry that never answers a renewal.
type unresponsive struct{ provisioning.Runs }

func (unresponsive) Renew(ctx context.Context, _ provisioning.Run, _ time.Duration) error {
	<-ctx.Done()
	return errs.Wrap(ctx.Err(), errs.KindTransient, "renew lease", "no answer")
}

func (unresponsive) TransactionLog(provisioning.Run) txlog.Log { return nil }

func TestPipeline_WorkEndsWithLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &process{world: &world{t: t}}
		p.onDeploy = func(work context.Context) { <-work.Done() }
		p.deployErr = func(int) error { return context.Canceled }
		pipeline, err := provisioning.NewPipeline(unresponsive{}, p, p, provisioning.PipelineOptions{})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = pipeline.Continue(t.Context(), provisioning.Run{Checkpoint: tenant.StepSeedRolesAndUser}, provisioning.RunOptions{})
		if took := time.Since(began); errs.KindOf(err) != errs.KindFenced || took > provisioning.DefaultLeaseTTL || took < provisioning.DefaultLeaseTTL/2 {
			t.Errorf("ended after %v with %v", took, err)
		}
	})
}
