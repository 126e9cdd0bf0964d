package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

func TestDB_Claim(t *testing.T) {
	t.Parallel()

	t.Run("AllowsOneRun", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		_, err := b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimResume, postgrestest.LeaseRequest("other", time.Minute))
		postgrestest.WantKind(t, err, errs.KindConflict)
	})

	t.Run("TakesOverAfterLeaseExpiry", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		b.Exec(`UPDATE tenants SET run_expires_at = now() - interval '1 second'`)
		next, err := b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimResume, postgrestest.LeaseRequest("other", time.Minute))
		if err != nil || next.Epoch != run.Epoch+1 || !next.TookOver || run.TookOver {
			t.Fatalf("%+v, %v", next, err)
		}
		postgrestest.WantKind(t, b.Renew(t.Context(), run, time.Minute), errs.KindFenced)
		postgrestest.WantKind(t, b.Release(t.Context(), run), errs.KindFenced)
		_, err = b.Advance(t.Context(), run, postgrestest.Activation())
		postgrestest.WantKind(t, err, errs.KindFenced)
		postgrestest.WantKind(t, b.AddInvitation(t.Context(), run, invitation.NewInvitation(time.Now().Add(invitation.DefaultTTL))), errs.KindFenced)
		postgrestest.WantKind(t, b.BeginRollback(t.Context(), run, provisioning.RollbackToFailed, tenant.StepRecord{Step: tenant.StepCreateSchema, Status: tenant.StepFailed}), errs.KindFenced)
		_, err = b.RollBack(t.Context(), run)
		postgrestest.WantKind(t, err, errs.KindFenced)
	})

	t.Run("DoesNotTakeOverReleased", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		b.Must(b.Release(t.Context(), run))
		next, err := b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimResume, postgrestest.LeaseRequest("other", time.Minute))
		if err != nil || next.TookOver {
			t.Errorf("%+v, %v", next, err)
		}
	})

	t.Run("ResumeDoesNotStartNewAttempt", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		b.FailTenant(run)
		_, err := b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimResume, postgrestest.LeaseRequest("x", time.Minute))
		postgrestest.WantKind(t, err, errs.KindConflict)
		next, err := b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimRetry, postgrestest.LeaseRequest("x", time.Minute))
		if err != nil || next.Tenant.Attempt != 2 || next.Checkpoint != tenant.StepCreateTenantRecord {
			t.Errorf("%+v, %v", next, err)
		}
	})

	t.Run("KeepsRollbackInProgress", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		if err := b.BeginRollback(t.Context(), run, provisioning.RollbackToFailed, tenant.StepRecord{Step: tenant.StepCreateSchema, Status: tenant.StepFailed, Error: "no room"}); err != nil {
			t.Fatal(err)
		}
		b.Exec(`UPDATE tenants SET run_expires_at = now() - interval '1 second'`)
		next, err := b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimRetry, postgrestest.LeaseRequest("other", time.Minute))
		if err != nil || next.Rollback != provisioning.RollbackToFailed || next.Tenant.Attempt != 1 {
			t.Fatalf("%+v, %v", next, err)
		}
		failed, err := b.RollBack(t.Context(), next)
		if err != nil || failed.Status != tenant.StatusFailed || failed.ProvisioningError != "no room" {
			t.Fatalf("%+v, %v", failed, err)
		}
		// A process fails the tenant after an error and then dies.
		if _, err := b.Abort(t.Context(), run.Tenant.ID, postgrestest.LeaseRequest("dead", -time.Second)); err != nil {
			t.Fatal(err)
		}
		if next, err = b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimResume, postgrestest.LeaseRequest("other", time.Minute)); err != nil || next.Rollback != provisioning.RollbackToArchived {
			t.Errorf("%+v, %v", next, err)
		}
		postgrestest.WantKind(t, func() error { _, err := b.RollBack(t.Context(), run); return err }(), errs.KindFenced)
	})

	t.Run("RejectsLiveTenant", func(t *testing.T) {
		b := setup(t)
		active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		_, err := b.Claim(t.Context(), active.ID, provisioning.ClaimRetry, postgrestest.LeaseRequest("x", time.Minute))
		postgrestest.WantKind(t, err, errs.KindConflict)
		if _, err := b.Archive(t.Context(), active.ID); err != nil {
			t.Fatal(err)
		}
		_, err = b.Claim(t.Context(), active.ID, provisioning.ClaimRetry, postgrestest.LeaseRequest("x", time.Minute))
		postgrestest.WantKind(t, err, errs.KindConflict)
	})

	t.Run("UnknownTenant", func(t *testing.T) {
		b := setup(t)
		_, err := b.Claim(t.Context(), uuid.New(), provisioning.ClaimRetry, postgrestest.LeaseRequest("x", time.Minute))
		postgrestest.WantKind(t, err, errs.KindNotFound)
	})
}

func TestDB_RollBack(t *testing.T) {
	t.Parallel()

	t.Run("LeavesNoSchemaRoleOrInvitation", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		rolledBack := b.FailTenant(run)
		if rolledBack.Status != tenant.StatusFailed || rolledBack.ProvisioningError != "the deployer has no funds" {
			t.Errorf("%+v", rolledBack)
		}
		if n := value[int](b, `SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = $1) + (SELECT count(*) FROM pg_roles WHERE rolname = $2)
			+ (SELECT count(*) FROM tenant_invitations) + (SELECT count(*) FROM tenant_migrations)`, rolledBack.SchemaName, rolledBack.DatabaseRole); n != 0 {
			t.Errorf("%d objects remain", n)
		}
		log, err := b.Log(t.Context(), rolledBack.ID, true)
		if err != nil {
			t.Fatal(err)
		}
		want := []tenant.StepStatus{tenant.StepCompleted, tenant.StepRolledBack, tenant.StepRolledBack, tenant.StepRolledBack, tenant.StepFailed}
		for i, e := range log {
			if e.Status != want[i] {
				t.Errorf("%s is %s, want %s", e.Step, e.Status, want[i])
			}
		}
		run.Rollback = provisioning.RollbackToFailed
		if again, err := b.RollBack(t.Context(), run); err != nil || again.Status != tenant.StatusFailed {
			t.Errorf("again: %+v, %v", again, err)
		}
	})

	t.Run("NeverChangesTenantThatWasLive", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Advance(t.Context(), run, postgrestest.Activation()); err != nil {
			t.Fatal(err)
		}
		postgrestest.WantKind(t, b.BeginRollback(t.Context(), run, provisioning.RollbackToFailed, tenant.StepRecord{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepFailed}), errs.KindFenced)
		run.Rollback = provisioning.RollbackToFailed
		_, err := b.RollBack(t.Context(), run)
		postgrestest.WantKind(t, err, errs.KindConflict)
		_, err = b.Abort(t.Context(), run.Tenant.ID, postgrestest.LeaseRequest("x", time.Minute))
		postgrestest.WantKind(t, err, errs.KindConflict)
		if n := value[int](b, `SELECT count(*) FROM `+run.Tenant.SchemaName+`.users`); n != 1 {
			t.Errorf("%d users", n)
		}
	})

	t.Run("AbortFencesRun", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		aborting, err := b.Abort(t.Context(), run.Tenant.ID, postgrestest.LeaseRequest("x", time.Minute))
		if err != nil || aborting.Rollback != provisioning.RollbackToArchived {
			t.Fatalf("%+v, %v", aborting, err)
		}
		postgrestest.WantKind(t, b.PrepareSchema(t.Context(), run, b.Seed()), errs.KindFenced)
		rolledBack, err := b.RollBack(t.Context(), aborting)
		if err != nil || rolledBack.Status != tenant.StatusArchived || rolledBack.WasLive() {
			t.Errorf("%+v, %v", rolledBack, err)
		}
	})
}

func TestDB_Advance(t *testing.T) {
	t.Parallel()

	t.Run("RepeatsAfterLostResponse", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		first, err := b.Advance(t.Context(), run, postgrestest.Activation())
		if err != nil || first.Status != tenant.StatusActive || !first.WasLive() || first.WelcomeEmail != tenant.WelcomeEmailSent {
			t.Fatalf("%+v, %v", first, err)
		}
		second, err := b.Advance(t.Context(), run, postgrestest.Activation())
		if err != nil || second.Version != first.Version {
			t.Errorf("%+v, %v", second, err)
		}
		if _, err := b.Archive(t.Context(), run.Tenant.ID); err != nil {
			t.Fatal(err)
		}
		_, err = b.Advance(t.Context(), run, postgrestest.Activation())
		postgrestest.WantKind(t, err, errs.KindFenced)
	})

	t.Run("LogsEveryStepOnce", func(t *testing.T) {
		b := setup(t)
		active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		log, err := b.Log(t.Context(), active.ID, true)
		if err != nil || len(log) != 7 {
			t.Fatalf("%d rows, %v", len(log), err)
		}
		for i, e := range log {
			if e.Step != tenant.Steps()[i] || e.Status != tenant.StepCompleted || e.Duration <= 0 {
				t.Errorf("%+v", e)
			}
		}
		if log[4].Result["ledger"] != float64(7) || log[4].Duration != time.Second {
			t.Errorf("%+v", log[4])
		}
	})
}

func TestTxLog_Account(t *testing.T) {
	t.Parallel()
	const network, address = "ab", "GA"
	newTx := func(hash string, seq int64) txlog.Transaction {
		return txlog.Transaction{
			Hash: hash, Envelope: "AAAA", Source: address, Sequence: seq, Purpose: txlog.PurposeCreate, ContractID: "C" + hash,
			NetworkID: network, ValidUntil: time.Now().Add(time.Minute).Truncate(time.Microsecond).UTC(), SubmittedLedger: 9, MaxFee: 100,
		}
	}

	t.Run("ReturnsUnresolvedTransactions", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		a, err := b.TransactionLog(run).Account(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		one, two := newTx("aa", 1), newTx("bb", 2)
		for _, tx := range []txlog.Transaction{two, one} {
			if err := a.Store(t.Context(), tx); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Resolve(t.Context(), "aa", txlog.Outcome{State: txlog.StateSucceeded, Ledger: 10, FeeCharged: 50}); err != nil {
			t.Fatal(err)
		}
		if err := a.Release(t.Context(), txlog.AccountRelease{Sequence: 2}); err != nil {
			t.Fatal(err)
		}
		again, err := b.TransactionLog(run).Account(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		unresolved := again.Unresolved()
		if len(unresolved) != 1 || again.Sequence() != 2 {
			t.Fatalf("%+v, sequence %d", unresolved, again.Sequence())
		}
		unresolved[0].ValidUntil = unresolved[0].ValidUntil.UTC()
		if unresolved[0].Hash != "bb" || unresolved[0].ValidUntil != two.ValidUntil || unresolved[0].SubmittedLedger != 9 || unresolved[0].ContractID != "Cbb" {
			t.Errorf("%+v, want %+v", unresolved[0], two)
		}
	})

	t.Run("AllowsOneLeaseholder", func(t *testing.T) {
		b := setup(t)
		first, second := b.ClaimNew(postgrestest.Inputs("One")), b.ClaimNew(postgrestest.Inputs("Two"))
		a, err := b.TransactionLog(first).Account(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		shortCtx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err = b.TransactionLog(second).Account(shortCtx, network, address)
		postgrestest.WantKind(t, err, errs.KindTransient)
		got := make(chan error, 1)
		go func() {
			_, err := b.TransactionLog(second).Account(t.Context(), network, address)
			got <- err
		}()
		if n := value[int](b, `SELECT count(*) FROM stellar_accounts WHERE lease_tenant = $1`, first.Tenant.ID); n != 1 {
			t.Errorf("%d leases", n)
		}
		if err := a.Release(t.Context(), txlog.AccountRelease{}); err != nil {
			t.Fatal(err)
		}
		if err := <-got; err != nil {
			t.Error(err)
		}
	})

	t.Run("ReopensRejectedTransaction", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		a, err := b.TransactionLog(run).Account(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			hash  string
			state txlog.State
			kind  errs.Kind
		}{
			{"aa", txlog.StateRejected, ""},
			{"bb", txlog.StateSucceeded, errs.KindTransient},
			{"cc", txlog.StateExpired, errs.KindTransient},
		} {
			if err := a.Store(t.Context(), newTx(c.hash, 1)); err != nil {
				t.Fatal(err)
			}
			if err := a.Resolve(t.Context(), c.hash, txlog.Outcome{State: c.state, FeeCharged: 50}); err != nil {
				t.Fatal(err)
			}
			postgrestest.WantKind(t, a.Store(t.Context(), newTx(c.hash, 1)), c.kind)
		}
		again, err := b.TransactionLog(run).Account(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		if unresolved := again.Unresolved(); len(unresolved) != 1 || unresolved[0].Hash != "aa" {
			t.Errorf("%+v", unresolved)
		}
	})

	t.Run("SupersededRunStoresNothing", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		a, err := b.TransactionLog(run).Account(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Abort(t.Context(), run.Tenant.ID, postgrestest.LeaseRequest("x", time.Minute)); err != nil {
			t.Fatal(err)
		}
		postgrestest.WantKind(t, a.Store(t.Context(), newTx("aa", 1)), errs.KindFenced)
		_, err = b.TransactionLog(run).Account(t.Context(), network, "GB")
		postgrestest.WantKind(t, err, errs.KindFenced)
	})

	t.Run("TakesOverAfterLeaseExpiry", func(t *testing.T) {
		b := setup(t)
		expired, next := b.ClaimNew(postgrestest.Inputs("One")), b.ClaimNew(postgrestest.Inputs("Two"))
		old, err := b.TransactionLog(expired).Account(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // Shorter than the lease.
		defer cancel()
		if _, err := b.TransactionLog(expired).Account(ctx, network, address); err != nil {
			t.Errorf("the leaseholder claims again: %v", err)
		}
		b.Exec(`UPDATE stellar_accounts SET expires_at = now() - interval '1 second'`)
		a, err := b.TransactionLog(next).Account(ctx, network, address)
		if err != nil {
			t.Fatal(err)
		}
		postgrestest.WantKind(t, old.Store(t.Context(), newTx("aa", 1)), errs.KindFenced)
		if err := old.Release(t.Context(), txlog.AccountRelease{Sequence: 99}); err != nil {
			t.Error(err)
		}
		// A renewal by the previous run does not extend the lease of the current run.
		before := value[time.Time](b, `SELECT expires_at FROM stellar_accounts`)
		if err := b.Renew(t.Context(), expired, time.Hour); err != nil {
			t.Fatal(err)
		}
		if after := value[time.Time](b, `SELECT expires_at FROM stellar_accounts`); !after.Equal(before) {
			t.Errorf("the lease moved from %v to %v", before, after)
		}
		if err := a.Store(t.Context(), newTx("bb", 1)); err != nil {
			t.Error(err)
		}
		postgrestest.WantKind(t, old.Resolve(t.Context(), "bb", txlog.Outcome{State: txlog.StateExpired}), errs.KindFenced)
		elsewhere, err := b.TransactionLog(next).Account(t.Context(), "cd", address)
		if err != nil || len(elsewhere.Unresolved()) != 0 || elsewhere.Sequence() != 0 {
			t.Errorf("another network: %+v, %v", elsewhere, err)
		}
	})

	t.Run("IsRenewedWithRun", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		if _, err := b.TransactionLog(run).Account(t.Context(), network, address); err != nil {
			t.Fatal(err)
		}
		b.Exec(`UPDATE stellar_accounts SET expires_at = now()`)
		if err := b.Renew(t.Context(), run, time.Hour); err != nil {
			t.Fatal(err)
		}
		if !value[bool](b, `SELECT expires_at > now() + interval '50 minutes' FROM stellar_accounts`) {
			t.Error("the account's lease was not renewed")
		}
	})
}
