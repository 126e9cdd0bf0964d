package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func TestDB_Claim(t *testing.T) {
	t.Parallel()

	t.Run("OneAtATime", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		_, err := b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimResume, lease("other", time.Minute))
		wantKind(t, err, provisioning.KindConflict)
	})

	t.Run("TakesOverAfterTheLease", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		b.exec(`UPDATE tenants SET run_expires_at = now() - interval '1 second'`)
		next, err := b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimResume, lease("other", time.Minute))
		if err != nil || next.Epoch != run.Epoch+1 {
			t.Fatalf("%+v, %v", next, err)
		}
		wantKind(t, b.Renew(t.Context(), run, time.Minute), provisioning.KindFenced)
		wantKind(t, b.Release(t.Context(), run), provisioning.KindFenced)
		_, err = b.Advance(t.Context(), run, final())
		wantKind(t, err, provisioning.KindFenced)
		wantKind(t, b.Invite(t.Context(), run, provisioning.NewInvitation(time.Now())), provisioning.KindFenced)
		wantKind(t, b.BeginUndo(t.Context(), run, provisioning.UndoFailed, provisioning.StepRecord{Step: provisioning.StepCreateSchema, Status: provisioning.StepFailed}), provisioning.KindFenced)
		_, err = b.Undo(t.Context(), run)
		wantKind(t, err, provisioning.KindFenced)
	})

	t.Run("ResumeDoesNotBeginAnewAttempt", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		fail(b, run)
		_, err := b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimResume, lease("x", time.Minute))
		wantKind(t, err, provisioning.KindConflict)
		next, err := b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimRetry, lease("x", time.Minute))
		if err != nil || next.Tenant.Attempt != 2 || next.Checkpoint != provisioning.StepCreateTenantRecord {
			t.Errorf("%+v, %v", next, err)
		}
	})

	t.Run("LeavesARollbackUnderWay", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		if err := b.BeginUndo(t.Context(), run, provisioning.UndoFailed, provisioning.StepRecord{Step: provisioning.StepCreateSchema, Status: provisioning.StepFailed, Error: "no room"}); err != nil {
			t.Fatal(err)
		}
		b.exec(`UPDATE tenants SET run_expires_at = now() - interval '1 second'`)
		next, err := b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimRetry, lease("other", time.Minute))
		if err != nil || next.Undo != provisioning.UndoFailed || next.Tenant.Attempt != 1 {
			t.Fatalf("%+v, %v", next, err)
		}
		failed, err := b.Undo(t.Context(), next)
		if err != nil || failed.Status != provisioning.StatusFailed || failed.ProvisioningError != "no room" {
			t.Fatalf("%+v, %v", failed, err)
		}
		// One that is given up after it failed, by a process that dies.
		if _, err := b.Abort(t.Context(), run.Tenant.ID, lease("dead", -time.Second)); err != nil {
			t.Fatal(err)
		}
		if next, err = b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimResume, lease("other", time.Minute)); err != nil || next.Undo != provisioning.UndoAborted {
			t.Errorf("%+v, %v", next, err)
		}
		wantKind(t, func() error { _, err := b.Undo(t.Context(), run); return err }(), provisioning.KindFenced)
	})

	t.Run("LiveTenantsHaveNothingToRun", func(t *testing.T) {
		b := setup(t)
		live := b.live(inputs("Clinic"))
		_, err := b.Claim(t.Context(), live.ID, provisioning.ClaimRetry, lease("x", time.Minute))
		wantKind(t, err, provisioning.KindConflict)
		if _, err := b.Archive(t.Context(), live.ID); err != nil {
			t.Fatal(err)
		}
		_, err = b.Claim(t.Context(), live.ID, provisioning.ClaimRetry, lease("x", time.Minute))
		wantKind(t, err, provisioning.KindConflict)
	})

	t.Run("UnknownTenant", func(t *testing.T) {
		b := setup(t)
		_, err := b.Claim(t.Context(), uuid.New(), provisioning.ClaimRetry, lease("x", time.Minute))
		wantKind(t, err, provisioning.KindNotFound)
	})
}

// fail ends a run's attempt with a rollback.
func fail(b bundle, run provisioning.Run) provisioning.Tenant {
	b.t.Helper()
	record := provisioning.StepRecord{Step: provisioning.StepDeploySorobanContract, Status: provisioning.StepFailed, Error: "the deployer has no funds", Duration: time.Second}
	if err := b.BeginUndo(b.t.Context(), run, provisioning.UndoFailed, record); err != nil {
		b.t.Fatal(err)
	}
	run.Undo = provisioning.UndoFailed
	tenant, err := b.Undo(b.t.Context(), run)
	if err != nil {
		b.t.Fatal(err)
	}
	return tenant
}

func TestDB_Undo(t *testing.T) {
	t.Parallel()

	t.Run("LeavesNoSchemaRoleOrInvitation", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		if err := b.PrepareSchema(t.Context(), run, b.seed()); err != nil {
			t.Fatal(err)
		}
		tenant := fail(b, run)
		if tenant.Status != provisioning.StatusFailed || tenant.ProvisioningError != "the deployer has no funds" {
			t.Errorf("%+v", tenant)
		}
		if n := value[int](b, `SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = $1) + (SELECT count(*) FROM pg_roles WHERE rolname = $2)
			+ (SELECT count(*) FROM tenant_invitations) + (SELECT count(*) FROM tenant_migrations)`, tenant.SchemaName, tenant.DatabaseRole); n != 0 {
			t.Errorf("%d things are left", n)
		}
		log, err := b.Log(t.Context(), tenant.ID, true)
		if err != nil {
			t.Fatal(err)
		}
		want := []provisioning.StepStatus{provisioning.StepCompleted, provisioning.StepRolledBack, provisioning.StepRolledBack, provisioning.StepRolledBack, provisioning.StepFailed}
		for i, e := range log {
			if e.Status != want[i] {
				t.Errorf("%s is %s, want %s", e.Step, e.Status, want[i])
			}
		}
		run.Undo = provisioning.UndoFailed
		if again, err := b.Undo(t.Context(), run); err != nil || again.Status != provisioning.StatusFailed {
			t.Errorf("again: %+v, %v", again, err)
		}
	})

	t.Run("NeverTouchesATenantThatWasLive", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		if err := b.PrepareSchema(t.Context(), run, b.seed()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Advance(t.Context(), run, final()); err != nil {
			t.Fatal(err)
		}
		wantKind(t, b.BeginUndo(t.Context(), run, provisioning.UndoFailed, provisioning.StepRecord{Step: provisioning.StepSendWelcomeEmail, Status: provisioning.StepFailed}), provisioning.KindFenced)
		run.Undo = provisioning.UndoFailed
		_, err := b.Undo(t.Context(), run)
		wantKind(t, err, provisioning.KindConflict)
		_, err = b.Abort(t.Context(), run.Tenant.ID, lease("x", time.Minute))
		wantKind(t, err, provisioning.KindConflict)
		if n := value[int](b, `SELECT count(*) FROM `+run.Tenant.SchemaName+`.users`); n != 1 {
			t.Errorf("%d users", n)
		}
	})

	t.Run("AbortOvertakesTheRunner", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		abort, err := b.Abort(t.Context(), run.Tenant.ID, lease("x", time.Minute))
		if err != nil || abort.Undo != provisioning.UndoAborted {
			t.Fatalf("%+v, %v", abort, err)
		}
		wantKind(t, b.PrepareSchema(t.Context(), run, b.seed()), provisioning.KindFenced)
		tenant, err := b.Undo(t.Context(), abort)
		if err != nil || tenant.Status != provisioning.StatusArchived || tenant.WasLive() {
			t.Errorf("%+v, %v", tenant, err)
		}
	})
}

func TestDB_Advance(t *testing.T) {
	t.Parallel()

	t.Run("RepeatedAfterALostAnswer", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		if err := b.PrepareSchema(t.Context(), run, b.seed()); err != nil {
			t.Fatal(err)
		}
		first, err := b.Advance(t.Context(), run, final())
		if err != nil || first.Status != provisioning.StatusActive || !first.WasLive() || first.WelcomeEmail != provisioning.WelcomeEmailSent {
			t.Fatalf("%+v, %v", first, err)
		}
		second, err := b.Advance(t.Context(), run, final())
		if err != nil || second.Version != first.Version {
			t.Errorf("%+v, %v", second, err)
		}
		if _, err := b.Archive(t.Context(), run.Tenant.ID); err != nil {
			t.Fatal(err)
		}
		_, err = b.Advance(t.Context(), run, final())
		wantKind(t, err, provisioning.KindFenced)
	})

	t.Run("LogsEveryStepOnce", func(t *testing.T) {
		b := setup(t)
		live := b.live(inputs("Clinic"))
		log, err := b.Log(t.Context(), live.ID, true)
		if err != nil || len(log) != 7 {
			t.Fatalf("%d rows, %v", len(log), err)
		}
		for i, e := range log {
			if e.Step != provisioning.Steps()[i] || e.Status != provisioning.StepCompleted || e.Duration <= 0 {
				t.Errorf("%+v", e)
			}
		}
		if log[4].Result["ledger"] != float64(7) || log[4].Duration != time.Second {
			t.Errorf("%+v", log[4])
		}
	})
}

func TestDB_Journal(t *testing.T) {
	t.Parallel()
	const network, address = "ab", "GA"
	transaction := func(hash string, seq int64) provisioning.StellarTransaction {
		return provisioning.StellarTransaction{
			Hash: hash, Envelope: "AAAA", Source: address, Sequence: seq, Purpose: provisioning.PurposeCreate, ContractID: "C" + hash,
			NetworkID: network, ValidUntil: time.Now().Add(time.Minute).Truncate(time.Microsecond).UTC(), SubmittedLedger: 9, MaxFee: 100,
		}
	}

	t.Run("RemembersWhatWasNotResolved", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		a, err := b.Journal(run).Account(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		one, two := transaction("aa", 1), transaction("bb", 2)
		for _, tx := range []provisioning.StellarTransaction{two, one} {
			if err := a.Store(t.Context(), tx); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Resolve(t.Context(), "aa", provisioning.TransactionOutcome{State: provisioning.TransactionSucceeded, Ledger: 10, FeeCharged: 50}); err != nil {
			t.Fatal(err)
		}
		if err := a.Release(t.Context(), provisioning.AccountRest{Sequence: 2}); err != nil {
			t.Fatal(err)
		}
		again, err := b.Journal(run).Account(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		left := again.Unresolved()
		if len(left) != 1 || again.Sequence() != 2 {
			t.Fatalf("%+v, sequence %d", left, again.Sequence())
		}
		left[0].ValidUntil = left[0].ValidUntil.UTC()
		if left[0].Hash != "bb" || left[0].ValidUntil != two.ValidUntil || left[0].SubmittedLedger != 9 || left[0].ContractID != "Cbb" {
			t.Errorf("%+v, want %+v", left[0], two)
		}
	})

	t.Run("OneUserAtATime", func(t *testing.T) {
		b := setup(t)
		first, second := b.begin(inputs("One")), b.begin(inputs("Two"))
		a, err := b.Journal(first).Account(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err = b.Journal(second).Account(short, network, address)
		wantKind(t, err, provisioning.KindTransient)
		got := make(chan error, 1)
		go func() {
			_, err := b.Journal(second).Account(t.Context(), network, address)
			got <- err
		}()
		if n := value[int](b, `SELECT count(*) FROM stellar_accounts WHERE lease_tenant = $1`, first.Tenant.ID); n != 1 {
			t.Errorf("%d leases", n)
		}
		if err := a.Release(t.Context(), provisioning.AccountRest{}); err != nil {
			t.Fatal(err)
		}
		if err := <-got; err != nil {
			t.Error(err)
		}
	})

	t.Run("OpensAgainWhatWasRefusedAlone", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		a, err := b.Journal(run).Account(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			hash  string
			state provisioning.TransactionState
			kind  provisioning.Kind
		}{
			{"aa", provisioning.TransactionRejected, ""},
			{"bb", provisioning.TransactionSucceeded, provisioning.KindTransient},
			{"cc", provisioning.TransactionExpired, provisioning.KindTransient},
		} {
			if err := a.Store(t.Context(), transaction(c.hash, 1)); err != nil {
				t.Fatal(err)
			}
			if err := a.Resolve(t.Context(), c.hash, provisioning.TransactionOutcome{State: c.state, FeeCharged: 50}); err != nil {
				t.Fatal(err)
			}
			wantKind(t, a.Store(t.Context(), transaction(c.hash, 1)), c.kind)
		}
		again, err := b.Journal(run).Account(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		if left := again.Unresolved(); len(left) != 1 || left[0].Hash != "aa" {
			t.Errorf("%+v", left)
		}
	})

	t.Run("NothingIsStoredByARunThatWasOvertaken", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		a, err := b.Journal(run).Account(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Abort(t.Context(), run.Tenant.ID, lease("x", time.Minute)); err != nil {
			t.Fatal(err)
		}
		wantKind(t, a.Store(t.Context(), transaction("aa", 1)), provisioning.KindFenced)
		_, err = b.Journal(run).Account(t.Context(), network, "GB")
		wantKind(t, err, provisioning.KindFenced)
	})

	t.Run("TakenOverAfterItsLease", func(t *testing.T) {
		b := setup(t)
		dead, next := b.begin(inputs("One")), b.begin(inputs("Two"))
		old, err := b.Journal(dead).Account(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // Less than the lease.
		defer cancel()
		if _, err := b.Journal(dead).Account(ctx, network, address); err != nil {
			t.Errorf("the holder asks again: %v", err)
		}
		b.exec(`UPDATE stellar_accounts SET expires_at = now() - interval '1 second'`)
		a, err := b.Journal(next).Account(ctx, network, address)
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, old.Store(t.Context(), transaction("aa", 1)), provisioning.KindFenced)
		if err := old.Release(t.Context(), provisioning.AccountRest{Sequence: 99}); err != nil {
			t.Error(err)
		}
		// A renewal by the run that had it before is none for the one that has it now.
		before := value[time.Time](b, `SELECT expires_at FROM stellar_accounts`)
		if err := b.Renew(t.Context(), dead, time.Hour); err != nil {
			t.Fatal(err)
		}
		if after := value[time.Time](b, `SELECT expires_at FROM stellar_accounts`); !after.Equal(before) {
			t.Errorf("the lease moved from %v to %v", before, after)
		}
		if err := a.Store(t.Context(), transaction("bb", 1)); err != nil {
			t.Error(err)
		}
		wantKind(t, old.Resolve(t.Context(), "bb", provisioning.TransactionOutcome{State: provisioning.TransactionExpired}), provisioning.KindFenced)
		elsewhere, err := b.Journal(next).Account(t.Context(), "cd", address)
		if err != nil || len(elsewhere.Unresolved()) != 0 || elsewhere.Sequence() != 0 {
			t.Errorf("another network: %+v, %v", elsewhere, err)
		}
	})

	t.Run("RenewedWithTheRun", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		if _, err := b.Journal(run).Account(t.Context(), network, address); err != nil {
			t.Fatal(err)
		}
		b.exec(`UPDATE stellar_accounts SET expires_at = now()`)
		if err := b.Renew(t.Context(), run, time.Hour); err != nil {
			t.Fatal(err)
		}
		if !value[bool](b, `SELECT expires_at > now() + interval '50 minutes' FROM stellar_accounts`) {
			t.Error("the account's lease was not renewed")
		}
	})
}
