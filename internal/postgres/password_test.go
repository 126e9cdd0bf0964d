package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

const (
	password      = "correct horse battery staple"
	otherPassword = "Tr0ub4dor&3 is another one"
)

func withPassword(name string, p tenant.Password) tenant.Inputs {
	in := postgrestest.Inputs(name)
	in.AdminPassword = p
	return in
}

// registryHash returns the hash in the registry, "" if there is none.
func (b fixture) registryHash() string {
	b.T.Helper()
	return value[string](b, `SELECT coalesce(admin_password_hash, '') FROM tenants`)
}

// adminHash returns the hash in the tenant's users table.
func (b fixture) adminHash(t tenant.Tenant) string {
	b.T.Helper()
	return value[string](b, `SELECT coalesce(password_hash, '') FROM `+t.SchemaName+`.users`)
}

func (b fixture) assertHash(label, hash, password string) {
	b.T.Helper()
	if !postgrestest.Verifies(hash, password) {
		b.T.Errorf("the %s hash %q is not that of the password", label, hash)
	}
}

func (b fixture) openInvitations() int {
	b.T.Helper()
	return value[int](b, `SELECT count(*) FROM tenant_invitations WHERE used_at IS NULL AND revoked_at IS NULL`)
}

// assertNoLeak searches the registry, except the password columns, for the password
// and each hash.
func (b fixture) assertNoLeak() {
	b.T.Helper()
	for _, table := range []string{"audit_events", "provisioning_logs", "idempotency_keys"} {
		if n := value[int](b, `SELECT count(*) FROM `+table+` x WHERE x::text LIKE '%argon2%' OR x::text LIKE '%correct horse%' OR x::text LIKE '%Tr0ub4dor%'`); n != 0 {
			b.T.Errorf("%d rows of %s contain the secret", n, table)
		}
	}
}

func TestDB_Password(t *testing.T) {
	t.Parallel()

	t.Run("MovesPasswordToTenant", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(withPassword("Clinic", password))
		b.assertHash("recorded", b.registryHash(), password)
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		if b.registryHash() != b.adminHash(run.Tenant) || b.registryHash() == "" {
			t.Errorf("registry %q, tenant %q", b.registryHash(), b.adminHash(run.Tenant))
		}
		active, err := b.Advance(t.Context(), run, postgrestest.Activation())
		if err != nil {
			t.Fatal(err)
		}
		if b.registryHash() != "" {
			t.Error("the registry keeps the hash of a live tenant")
		}
		b.assertHash("admin's", b.adminHash(active), password)
		if b.openInvitations() != 1 {
			t.Error("the invitation is missing")
		}
		b.assertNoLeak()
		if events := b.VerifiedChain(active.ID); events[0].Detail["adminPassword"] != "set" {
			t.Errorf("%+v", events[0])
		}
	})

	t.Run("SurvivesTakeover", func(t *testing.T) {
		b := setup(t)
		b.ClaimNew(withPassword("Clinic", password))
		b.Exec(`UPDATE tenants SET run_expires_at = now()`)
		run, err := b.Claim(t.Context(), value[[16]byte](b, `SELECT id FROM tenants`), provisioning.ClaimResume, postgrestest.LeaseRequest("other", time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		b.assertHash("admin's", b.adminHash(run.Tenant), password)
	})

	t.Run("SurvivesFailedAttempt", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(withPassword("Clinic", password))
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		b.FailTenant(run)
		b.assertHash("kept", b.registryHash(), password)
		run, err := b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimRetry, postgrestest.LeaseRequest("next", time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		b.assertHash("admin's", b.adminHash(run.Tenant), password)
	})

	t.Run("IsRemovedByAbort", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(withPassword("Clinic", password))
		run, err := b.Abort(t.Context(), run.Tenant.ID, postgrestest.LeaseRequest("admin", time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.RollBack(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		if b.registryHash() != "" {
			t.Error("an archived tenant keeps a hash")
		}
		b.assertNoLeak()
	})

	t.Run("IsRemovedFromLiveTenant", func(t *testing.T) { // Also after an update by a program that does not know the column.
		b := setup(t)
		b.ActiveTenant(postgrestest.Inputs("Clinic"))
		if _, err := b.Pool().Exec(t.Context(), `UPDATE tenants SET admin_password_hash = 'x'`); err == nil || !strings.Contains(err.Error(), "tenants_password_cleared") {
			t.Errorf("%v", err)
		}
	})
}

func TestDB_Password_ContinuedCreate(t *testing.T) {
	t.Parallel()
	again := func(b fixture, in tenant.Inputs) provisioning.Run {
		b.T.Helper()
		b.Exec(`UPDATE tenants SET run_expires_at = NULL`)
		c, err := b.Create(b.T.Context(), b.Draft(in), postgrestest.LeaseRequest("next", time.Minute))
		if err != nil || !c.Continued {
			b.T.Fatalf("%+v, %v", c, err)
		}
		return *c.Run
	}

	t.Run("LastWriteWins", func(t *testing.T) {
		b := setup(t)
		first := b.ClaimNew(withPassword("Clinic", password))
		run := again(b, withPassword("Clinic", otherPassword))
		b.assertHash("kept", b.registryHash(), otherPassword)
		if run.Tenant.Version <= first.Tenant.Version {
			t.Errorf("version %d", run.Tenant.Version)
		}
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		run = again(b, withPassword("Clinic", password))
		b.assertHash("kept", b.registryHash(), password)
		b.assertHash("admin's", b.adminHash(run.Tenant), password)
		b.assertNoLeak()
	})

	t.Run("CreateWithoutPasswordRemovesIt", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(withPassword("Clinic", password))
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		run = again(b, postgrestest.Inputs("Clinic"))
		if b.registryHash() != "" || b.adminHash(run.Tenant) != "" {
			t.Errorf("registry %q, tenant %q", b.registryHash(), b.adminHash(run.Tenant))
		}
		events := b.VerifiedChain(run.Tenant.ID)
		if changed, _ := events[len(events)-1].Detail["changed"].(map[string]any); changed["adminPassword"] != "removed" || len(changed) != 1 {
			t.Errorf("%+v", events[len(events)-1])
		}
	})

	t.Run("ContinuesInterruptedRollback", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Abort(t.Context(), run.Tenant.ID, postgrestest.LeaseRequest("dead", -time.Second)); err != nil {
			t.Fatal(err)
		}
		again(b, withPassword("Clinic", password))
		b.assertHash("kept", b.registryHash(), password)
	})
}

func TestDB_Password_Submit(t *testing.T) {
	t.Parallel()

	t.Run("WorkerReceivesPassword", func(t *testing.T) {
		b := setupQueue(t)
		s := b.mustSubmit(withPassword("Clinic", password), idempotencyKey("k", "a"))
		b.assertHash("recorded", b.registryHash(), password)
		run, err := b.Claim(t.Context(), s.Tenant.ID, provisioning.ClaimResume, postgrestest.LeaseRequest("worker", time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		b.assertHash("admin's", b.adminHash(run.Tenant), password)
		b.assertNoLeak()
		if n := value[int](b, `SELECT count(*) FROM river_job j WHERE j::text LIKE '%argon2%' OR j::text LIKE '%horse%'`); n != 0 {
			t.Error("the queue contains the password")
		}
	})

	t.Run("LastWriteWins", func(t *testing.T) {
		b := setupQueue(t)
		b.FailTenant(b.ClaimNew(withPassword("Clinic", password)))
		s := b.mustSubmit(withPassword("Clinic", otherPassword), nil)
		b.assertHash("kept", b.registryHash(), otherPassword)
		b.Exec(`UPDATE tenants SET status = 'FAILED', job_id = NULL, checkpoint = 'CREATE_TENANT_RECORD'`)
		if _, err := b.Requeue(t.Context(), s.Tenant.ID); err != nil {
			t.Fatal(err)
		}
		b.assertHash("requeued", b.registryHash(), otherPassword)
		b.Exec(`UPDATE tenants SET status = 'FAILED', job_id = NULL`)
		b.mustSubmit(postgrestest.Inputs("Clinic"), nil)
		if b.registryHash() != "" {
			t.Error("a request without a password has one")
		}
	})
}

func TestDB_Password_Update(t *testing.T) {
	t.Parallel()

	t.Run("NameOfActiveTenant", func(t *testing.T) {
		b := setup(t)
		created := b.ActiveTenant(withPassword("Clinic", password))
		got, err := b.Update(t.Context(), created.ID, withPassword("Clinic", otherPassword), created.Version)
		if err != nil || got.Version <= created.Version || !got.UpdatedAt.After(created.UpdatedAt) {
			t.Fatalf("%+v, %v", got, err)
		}
		b.assertHash("admin's", b.adminHash(created), otherPassword)
		if b.registryHash() != "" || b.openInvitations() != 0 {
			t.Errorf("registry %q, %d invitations", b.registryHash(), b.openInvitations())
		}
		// The next welcome mail has another message ID: mail servers must not drop it as a duplicate.
		if n := value[int](b, `SELECT welcome_email_serial FROM tenants`); n != 2 {
			t.Errorf("serial %d", n)
		}
		events := b.VerifiedChain(created.ID)
		last := events[len(events)-1]
		if changed, _ := last.Detail["changed"].(map[string]any); last.Action != audit.ActionUpdate || len(changed) != 1 || changed["adminPassword"] != "set" {
			t.Errorf("%+v", last)
		}
		b.assertNoLeak()
	})

	t.Run("TogetherWithOtherFields", func(t *testing.T) {
		b := setup(t)
		created := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		in := withPassword("Klinik", password)
		in.AdminEmail = "grace@clinic.example"
		if _, err := b.Update(t.Context(), created.ID, in, 0); err != nil {
			t.Fatal(err)
		}
		b.assertHash("admin's", b.adminHash(created), password)
		if email := value[string](b, `SELECT email FROM `+created.SchemaName+`.users`); email != "grace@clinic.example" {
			t.Errorf("%s", email)
		}
	})

	t.Run("UpdateWithoutPasswordKeepsIt", func(t *testing.T) {
		b := setup(t)
		created := b.ActiveTenant(withPassword("Clinic", password))
		if _, err := b.Update(t.Context(), created.ID, postgrestest.Inputs("Klinik"), 0); err != nil {
			t.Fatal(err)
		}
		b.assertHash("admin's", b.adminHash(created), password)
		if b.openInvitations() != 1 {
			t.Error("the invitation is missing")
		}
	})

	t.Run("BeforeAndAfterSchemaExists", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		update := func(p tenant.Password) {
			t.Helper()
			if _, err := b.Update(t.Context(), run.Tenant.ID, withPassword("Clinic", p), 0); err != nil {
				t.Fatal(err)
			}
			b.assertHash("kept", b.registryHash(), p.Reveal())
		}
		update(password)
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		b.assertHash("admin's", b.adminHash(run.Tenant), password)
		update(otherPassword)
		b.assertHash("admin's", b.adminHash(run.Tenant), otherPassword)
		if b.openInvitations() != 1 {
			t.Error("the invitation of the pending welcome mail is missing")
		}
		if _, err := b.Advance(t.Context(), run, postgrestest.Activation()); err != nil {
			t.Fatal(err)
		}
		if b.registryHash() != "" {
			t.Error("the registry keeps the hash")
		}
	})

	t.Run("ChangesFailedTenant", func(t *testing.T) {
		b := setup(t)
		failed := b.FailTenant(b.ClaimNew(postgrestest.Inputs("Clinic")))
		if _, err := b.Update(t.Context(), failed.ID, withPassword("Clinic", password), 0); err != nil {
			t.Fatal(err)
		}
		b.assertHash("kept", b.registryHash(), password)
	})

	t.Run("RejectsArchivedTenant", func(t *testing.T) {
		b := setup(t)
		created := b.archivedTenant(withPassword("Clinic", password))
		_, err := b.Update(t.Context(), created.ID, withPassword("Clinic", otherPassword), 0)
		postgrestest.WantKind(t, err, errs.KindConflict)
		b.assertHash("admin's", b.adminHash(created), password)
	})
}
