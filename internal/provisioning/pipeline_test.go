package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestPipeline_CancelOnDisconnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.process()
	ctx, leave := context.WithCancel(t.Context())
	p.mailErr = func(int) error {
		leave() // The mail is still sent.
		return nil
	}
	out, err := p.service(provisioning.PipelineOptions{}).WithCancelOnDisconnect().Provision(ctx, clinic())
	if errs.KindOf(err) != errs.KindCancelled || out.Tenant.Status != tenant.StatusProvisioning || len(w.mails) != 1 {
		t.Fatalf("%s, %d mails, %v", out.Tenant.Status, len(w.mails), err)
	}
	if n := w.registry.Runs(); n != 0 {
		t.Error("the tenant was not released")
	}
	again, err := w.process().service(provisioning.PipelineOptions{}).WithCancelOnDisconnect().Provision(t.Context(), clinic())
	if err != nil || again.Tenant.ID != out.Tenant.ID || !again.Continued {
		t.Fatalf("%+v, %v", again, err)
	}
	w.invariants("the caller came back", out.Tenant.ID)
}

func TestPipeline_Retryable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.process()
	busy := true
	p.deployErr = func(int) error {
		if busy {
			return errs.Errorf(errs.KindTransient, "deploy", "the network is busy")
		}
		return nil
	}
	c := w.unclaimed()
	pipeline, err := provisioning.NewPipeline(p, p, p, provisioning.PipelineOptions{
		Retry: retry.Policy{Attempts: 2, Base: time.Microsecond, Cap: time.Microsecond}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		out, err := pipeline.Run(t.Context(), c.Tenant.ID, provisioning.RunOptions{Retryable: true})
		if errs.KindOf(err) != errs.KindTransient || out.Tenant.Status != tenant.StatusProvisioning || !strings.Contains(errs.SafeMessage(err), "is retried later: the network is busy") {
			t.Fatalf("%s, %v", out.Tenant.Status, err)
		}
		log, err := w.db.Log(t.Context(), c.Tenant.ID, false)
		if err != nil || w.registry.Runs() != 0 || w.registry.Tenant().Checkpoint != string(tenant.StepSeedRolesAndUser) ||
			!slices.ContainsFunc(log, func(e tenant.LogEntry) bool {
				return e.Step == tenant.StepDeploySorobanContract && e.Status == tenant.StepInProgress && e.Error == "the network is busy"
			}) {
			t.Errorf("progress or error was not stored: %+v, %v", log, err)
		}
	}
	if w.failures != 0 || p.deploys != 4 {
		t.Errorf("%d failure mails after %d attempts", w.failures, p.deploys)
	}
	out, err := pipeline.Run(t.Context(), c.Tenant.ID, provisioning.RunOptions{}) // The last run.
	if errs.KindOf(err) != errs.KindTransient || out.Tenant.Status != tenant.StatusFailed || w.failures != 1 {
		t.Fatalf("%s, %d failure mails, %v", out.Tenant.Status, w.failures, err)
	}
	busy = false
	if _, err := pipeline.Run(t.Context(), c.Tenant.ID, provisioning.RunOptions{Mode: provisioning.ClaimRetry}); err != nil {
		t.Fatal(err)
	}
	w.invariants("after all", c.Tenant.ID)
}

func TestPipeline_FailTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.process()
	p.dieAt = 4 // After the schema.
	out, err := p.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
	if err == nil {
		t.Fatal("the process did not die")
	}
	id := out.Tenant.ID
	next := w.process()
	pipeline, err := provisioning.NewPipeline(next, next, next, provisioning.PipelineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pipeline.FailTenant(t.Context(), id, "the run was interrupted"); errs.KindOf(err) != errs.KindConflict {
		t.Errorf("a leased tenant was failed: %v", err)
	}
	w.expireLeases()
	got, err := pipeline.FailTenant(t.Context(), id, "the run was interrupted")
	if err != nil || got.Status != tenant.StatusFailed || got.ProvisioningError != "the run was interrupted" || w.failures != 1 {
		t.Errorf("%+v, %d failure mails, %v", got, w.failures, err)
	}
	if n := w.count(`SELECT count(*) FROM pg_namespace WHERE nspname = $1`, got.SchemaName); n != 0 {
		t.Error("its schema still exists")
	}
	if _, err := pipeline.FailTenant(t.Context(), id, "again"); errs.KindOf(err) != errs.KindConflict || w.failures != 1 {
		t.Errorf("a tenant in a final state was failed: %v", err)
	}
}

func TestService_Provision(t *testing.T) {
	t.Parallel()

	t.Run("ActivatesTenantInThreeCommits", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		var steps []string
		p := w.process()
		out, err := p.service(provisioning.PipelineOptions{Observer: func(_ context.Context, e provisioning.Event) {
			if e.Status == tenant.StepCompleted {
				steps = append(steps, string(e.Step))
			}
		}}).Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		w.invariants("no fault", out.Tenant.ID)
		if len(steps) != 7 || steps[6] != string(tenant.StepSendWelcomeEmail) {
			t.Errorf("events %v", steps)
		}
	})

	t.Run("CrashAtAnyPointDuplicatesNothing", func(t *testing.T) {
		t.Parallel()
		for at := 1; ; at++ {
			w := newWorld(t)
			p := w.process()
			p.dieAt = at
			scenario := fmt.Sprintf("crash at point %d", at)
			_, err := p.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
			if !p.dead {
				if err != nil {
					t.Fatal(err)
				}
				if at < 10 {
					t.Errorf("only %d points", at)
				}
				return
			}
			w.expireLeases()
			out, err := w.process().service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
			if errs.KindOf(err) == errs.KindConflict && w.only().Attempt == 1 && w.only().Status == tenant.StatusActive {
				// It died between the last commit and the response: the tenant is live and is not adopted.
				out.Tenant, err = *out.ConflictingTenant, nil
			}
			if err != nil {
				t.Fatalf("%s: %v", scenario, err)
			}
			w.invariants(scenario, out.Tenant.ID)
		}
	})

	t.Run("CrashInRollbackEndsRolledBack", func(t *testing.T) {
		t.Parallel()
		for at := 1; ; at++ {
			w := newWorld(t)
			p := w.process()
			p.dieAt = at
			p.deployErr = func(int) error { return errs.Errorf(errs.KindPermanent, "deploy", "no funds") }
			_, err := p.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
			if !p.dead {
				if errs.KindOf(err) != errs.KindPermanent {
					t.Fatal(err)
				}
				return
			}
			w.expireLeases()
			next := w.process()
			next.deployErr = p.deployErr
			out, err := next.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
			if err == nil || out.Tenant.Status != tenant.StatusFailed || out.Tenant.ProvisioningError != "no funds" {
				t.Fatalf("crash at point %d: %+v, %v", at, out.Tenant, err)
			}
			if n := w.count(`SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = $1) + (SELECT count(*) FROM pg_roles WHERE rolname = $2)`,
				out.Tenant.SchemaName, out.Tenant.DatabaseRole); n != 0 {
				t.Errorf("crash at point %d: %d objects remain", at, n)
			}
			if n := w.registry.OpenSteps(); n != 0 {
				t.Errorf("crash at point %d: %d steps never ended", at, n)
			}
		}
	})

	t.Run("RetriesTransientFaults", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.process()
		p.deployErr = func(try int) error {
			if try < 3 {
				return errs.Errorf(errs.KindTransient, "deploy", "busy")
			}
			return nil
		}
		out, err := p.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
		if err != nil || p.deploys != 3 {
			t.Fatalf("%d deploys, %v", p.deploys, err)
		}
		w.invariants("two faults", out.Tenant.ID)
	})

	t.Run("FailsAfterLastRetryAndContinuesLater", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.process()
		p.deployErr = func(int) error {
			return errs.Errorf(errs.KindTransient, "deploy", "the RPC server does not answer")
		}
		out, err := p.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
		if errs.KindOf(err) != errs.KindTransient || out.Tenant.Status != tenant.StatusFailed || p.deploys != 3 || w.failures != 1 {
			t.Fatalf("%+v, %d deploys, %d failure mails, %v", out.Tenant, p.deploys, w.failures, err)
		}
		again, err := w.process().service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
		if err != nil || !again.Continued || again.Tenant.ID != out.Tenant.ID || again.Tenant.SchemaName != out.Tenant.SchemaName || again.Tenant.Attempt != 2 {
			t.Fatalf("%+v, %v", again, err)
		}
		w.invariants("second attempt", again.Tenant.ID)
	})

	t.Run("RejectedWelcomeMailIsWarning", func(t *testing.T) {
		t.Parallel()
		for kind, want := range map[errs.Kind]tenant.WelcomeEmailStatus{
			errs.KindPermanent: tenant.WelcomeEmailFailed,
			errs.KindTransient: tenant.WelcomeEmailPending,
		} {
			w := newWorld(t)
			p := w.process()
			p.mailErr = func(int) error { return errs.Errorf(kind, "send", "refused") }
			service := p.service(provisioning.PipelineOptions{})
			out, err := service.Provision(t.Context(), clinic())
			if err != nil || out.Tenant.Status != tenant.StatusActive || out.Tenant.WelcomeEmail != want || len(out.Warnings) != 1 {
				t.Fatalf("%s: %+v, %v", kind, out, err)
			}
			p.mailErr = nil
			again, err := service.Invite(t.Context(), out.Tenant.ID)
			if err != nil || again.Tenant.WelcomeEmail != tenant.WelcomeEmailSent || len(again.Warnings) != 0 {
				t.Errorf("%s: %+v, %v", kind, again, err)
			}
			w.invariants("mail sent again", out.Tenant.ID)
		}
	})

	t.Run("RejectedWelcomeMailRollsBackIfConfigured", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.process()
		p.mailErr = func(int) error { return errs.Errorf(errs.KindPermanent, "send", "refused") }
		out, err := p.service(provisioning.PipelineOptions{MailFailure: provisioning.MailFailureFail}).Provision(t.Context(), clinic())
		if err == nil || out.Tenant.Status != tenant.StatusFailed {
			t.Fatalf("%+v, %v", out, err)
		}
		again, err := w.process().service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		w.invariants("second attempt reuses the contract", again.Tenant.ID)
	})

	t.Run("StopsBetweenStepsAndResumes", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.process()
		ctx, cancel := context.WithCancel(t.Context())
		p.onDeploy = func(context.Context) { cancel() }
		service := p.service(provisioning.PipelineOptions{})
		out, err := service.Provision(ctx, clinic())
		if errs.KindOf(err) != errs.KindCancelled || out.Tenant.Status != tenant.StatusProvisioning {
			t.Fatalf("%+v, %v", out, err)
		}
		if len(w.contracts) != 1 {
			t.Error("the running step did not finish")
		}
		p.onDeploy = nil
		again, err := service.Retry(t.Context(), out.Tenant.ID)
		if err != nil {
			t.Fatal(err)
		}
		w.invariants("resumed", again.Tenant.ID)
	})

	t.Run("ReportsTimeout", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.process()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		p.deployErr = func(int) error {
			<-ctx.Done()
			return errs.Errorf(errs.KindTransient, "deploy", "busy")
		}
		out, err := p.service(provisioning.PipelineOptions{}).Provision(ctx, clinic())
		if !errors.Is(err, context.DeadlineExceeded) || out.Tenant.Status != tenant.StatusProvisioning {
			t.Fatalf("%+v, %v", out, err)
		}
	})

	t.Run("HangingStepEndsAfterGracePeriod", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.process()
		ctx, cancel := context.WithCancel(t.Context())
		p.onDeploy = func(work context.Context) { cancel(); <-work.Done() }
		_, err := p.service(provisioning.PipelineOptions{StepGrace: 50 * time.Millisecond}).Provision(ctx, clinic())
		if errs.KindOf(err) != errs.KindCancelled {
			t.Fatal(err)
		}
	})

	t.Run("LostLeaseStopsRun", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.process()
		p.onDeploy = func(work context.Context) {
			w.registry.Supersede()
			<-work.Done() // The heartbeat notices.
		}
		_, err := p.service(provisioning.PipelineOptions{LeaseTTL: time.Second, Heartbeat: 20 * time.Millisecond}).Provision(t.Context(), clinic())
		if errs.KindOf(err) != errs.KindFenced {
			t.Fatal(err)
		}
		if got := w.only(); got.Status != tenant.StatusProvisioning {
			t.Error("the superseded run changed the tenant")
		}
	})

	t.Run("NeverAdoptsLiveTenant", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		service := w.process().service(provisioning.PipelineOptions{})
		first, err := service.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		out, err := service.Provision(t.Context(), clinic())
		if errs.KindOf(err) != errs.KindConflict || out.ConflictingTenant == nil || out.ConflictingTenant.ID != first.Tenant.ID || out.Tenant.ID != uuid.Nil {
			t.Errorf("%+v, %v", out, err)
		}
	})

	t.Run("AdoptsWithSameManagerAndInputs", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		service := w.process().service(provisioning.PipelineOptions{})
		in := clinic()
		in.ManagedBy, in.ExternalID = "repo-1", "crm-1"
		first, err := service.Provision(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		out, err := service.Provision(t.Context(), in)
		if err != nil || !out.Adopted || out.Tenant.ID != first.Tenant.ID {
			t.Errorf("%+v, %v", out, err)
		}
		in.AdminEmail = "eve@clinic.example"
		if out, err = service.Provision(t.Context(), in); errs.KindOf(err) != errs.KindConflict || out.Adopted {
			t.Errorf("other inputs: %+v, %v", out, err)
		}
		in.AdminEmail = clinic().AdminEmail
		if _, err := service.Archive(t.Context(), first.Tenant.ID); err != nil {
			t.Fatal(err)
		}
		if out, err = service.Provision(t.Context(), in); errs.KindOf(err) != errs.KindConflict || out.Adopted || out.ConflictingTenant == nil {
			t.Errorf("archived: %+v, %v", out, err)
		}
	})

	t.Run("ConcurrentCallsCreateOneTenant", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p, hold := w.process(), make(chan struct{})
		p.onDeploy = func(context.Context) { <-hold }
		started := make(chan error, 1)
		opts := provisioning.PipelineOptions{LeaseTTL: 2 * time.Second, Heartbeat: 50 * time.Millisecond}
		go func() {
			_, err := p.service(opts).Provision(t.Context(), clinic())
			started <- err
		}()
		var second error
		for second == nil { // Until the first call has created the tenant.
			if w.registry.Count() == 0 {
				continue
			}
			_, second = w.process().service(opts).Provision(t.Context(), clinic())
		}
		if errs.KindOf(second) != errs.KindConflict || !strings.Contains(second.Error(), "another run") {
			t.Errorf("second: %v", second)
		}
		close(hold)
		if err := <-started; err != nil {
			t.Fatal(err)
		}
		w.invariants("two at once", w.only().ID)
	})

	t.Run("RejectsInvalidInputBeforeAnyChange", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		_, err := w.process().service(provisioning.PipelineOptions{}).Provision(t.Context(), tenant.Inputs{Name: "x"})
		if errs.KindOf(err) != errs.KindInvalid || w.registry.Count() != 0 {
			t.Error(err)
		}
	})
}

func TestService_Archive(t *testing.T) {
	t.Parallel()

	t.Run("LiveTenantKeepsRows", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		service := w.process().service(provisioning.PipelineOptions{})
		out, err := service.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, err := service.Archive(t.Context(), out.Tenant.ID)
			if err != nil || got.Status != tenant.StatusArchived {
				t.Fatalf("%+v, %v", got, err)
			}
		}
		if n := w.count(`SELECT count(*) FROM ` + out.Tenant.SchemaName + `.users`); n != 1 {
			t.Errorf("%d users", n)
		}
	})

	t.Run("AbortsRunningTenant", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p, hold, reached := w.process(), make(chan struct{}), make(chan struct{})
		p.onDeploy = func(context.Context) { close(reached); <-hold }
		ended := make(chan error, 1)
		go func() {
			_, err := p.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
			ended <- err
		}()
		<-reached
		id := w.only().ID
		got, err := w.process().service(provisioning.PipelineOptions{}).Archive(t.Context(), id)
		if err != nil || got.Status != tenant.StatusArchived {
			t.Fatalf("%+v, %v", got, err)
		}
		close(hold)
		if err := <-ended; errs.KindOf(err) != errs.KindFenced {
			t.Errorf("the run ended with %v", err)
		}
		if n := w.count(`SELECT count(*) FROM pg_namespace WHERE nspname = $1`, got.SchemaName) + len(w.mails); n != 0 {
			t.Errorf("%d objects remain", n)
		}
		again, err := w.process().service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
		if err != nil || again.Tenant.ID != id {
			t.Fatalf("%+v, %v", again, err)
		}
		w.invariants("after an abort", id)
	})

	t.Run("UnknownTenant", func(t *testing.T) {
		t.Parallel()
		_, err := newWorld(t).process().service(provisioning.PipelineOptions{}).Archive(t.Context(), uuid.New())
		if errs.KindOf(err) != errs.KindNotFound {
			t.Error(err)
		}
	})
}

func TestNewPipeline_RejectsMissingParts(t *testing.T) {
	t.Parallel()
	if _, err := provisioning.NewPipeline(nil, nil, nil, provisioning.PipelineOptions{}); err == nil || !strings.Contains(err.Error(), "Runs is missing") {
		t.Error(err)
	}
	p := newWorld(t).process()
	if _, err := provisioning.NewPipeline(p, p, p, provisioning.PipelineOptions{Heartbeat: time.Minute}); err == nil || !strings.Contains(err.Error(), "Heartbeat") {
		t.Error(err)
	}
}
