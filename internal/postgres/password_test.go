package postgres_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

const (
	password = "correct horse battery staple"
	another  = "Tr0ub4dor&3 is another one"
)

func withPassword(name string, p provisioning.Password) provisioning.Inputs {
	in := inputs(name)
	in.AdminPassword = p
	return in
}

// kept is the hash in the registry, "" if there is none.
func (b bundle) kept() string {
	b.t.Helper()
	return value[string](b, `SELECT coalesce(admin_password_hash, '') FROM tenants`)
}

// admins is the hash in the tenant's own users table.
func (b bundle) admins(t provisioning.Tenant) string {
	b.t.Helper()
	return value[string](b, `SELECT coalesce(password_hash, '') FROM `+t.SchemaName+`.users`)
}

func (b bundle) verifies(what, hash, password string) {
	b.t.Helper()
	if !postgrestest.Verifies(hash, password) {
		b.t.Errorf("the %s hash %q is not that of the password", what, hash)
	}
}

func (b bundle) openInvitations() int {
	b.t.Helper()
	return value[int](b, `SELECT count(*) FROM tenant_invitations WHERE used_at IS NULL`)
}

// leaks looks for the password and each hash in everything that the registry holds
// besides the columns that are for it.
func (b bundle) leaks() {
	b.t.Helper()
	for _, table := range []string{"audit_events", "provisioning_logs", "idempotency_keys"} {
		if n := value[int](b, `SELECT count(*) FROM `+table+` x WHERE x::text LIKE '%argon2%' OR x::text LIKE '%correct horse%' OR x::text LIKE '%Tr0ub4dor%'`); n != 0 {
			b.t.Errorf("%d rows of %s have it", n, table)
		}
	}
}

func TestHashed(t *testing.T) {
	t.Parallel()

	t.Run("SaysHowItWasMade", func(t *testing.T) {
		t.Parallel()
		one, err := postgres.Hashed(t.Context(), password)
		if err != nil || !strings.HasPrefix(one, "$argon2id$v=19$m=65536,t=3,p=4$") || len(one) > 255 {
			t.Fatalf("%q, %v", one, err)
		}
		two, err := postgres.Hashed(t.Context(), password)
		if err != nil || one == two {
			t.Errorf("twice the same salt: %v", err)
		}
		if !postgrestest.Verifies(one, password) || !postgrestest.Verifies(two, password) || postgrestest.Verifies(one, password+" ") {
			t.Error("it verifies what it should not, or the other way round")
		}
		longest, err := postgres.Hashed(t.Context(), provisioning.Password(strings.Repeat("ä", provisioning.MaxPassword)))
		if err != nil || len(longest) != len(one) {
			t.Errorf("%q, %v", longest, err)
		}
	})

	t.Run("OfNoneIsNone", func(t *testing.T) {
		t.Parallel()
		if hash, err := postgres.Hashed(t.Context(), ""); hash != "" || err != nil {
			t.Errorf("%q, %v", hash, err)
		}
	})

	t.Run("ManyTakeTurns", func(t *testing.T) { // Not parallel: others would take turns with these.
		free := postgres.HoldHashes()
		if _, err := expired(t, func(ctx context.Context) (string, error) { return postgres.Hashed(ctx, password) }); provisioning.KindOf(err) != provisioning.KindTransient {
			t.Errorf("%v", err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		_, err := postgres.Hashed(ctx, password)
		wantKind(t, err, provisioning.KindCancelled)
		free()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, err := postgres.Hashed(t.Context(), password); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}

// expired calls f with a context whose time is over soon.
func expired(t *testing.T, f func(context.Context) (string, error)) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	return f(ctx)
}

func TestDB_Password(t *testing.T) {
	t.Parallel()

	t.Run("IsHandedOverToTheTenant", func(t *testing.T) {
		b := setup(t)
		run := b.begin(withPassword("Clinic", password))
		b.verifies("recorded", b.kept(), password)
		if err := b.PrepareSchema(t.Context(), run, b.seed()); err != nil {
			t.Fatal(err)
		}
		if b.kept() != b.admins(run.Tenant) || b.kept() == "" {
			t.Errorf("registry %q, tenant %q", b.kept(), b.admins(run.Tenant))
		}
		live, err := b.Advance(t.Context(), run, final())
		if err != nil {
			t.Fatal(err)
		}
		if b.kept() != "" {
			t.Error("the registry keeps the hash of a live tenant")
		}
		b.verifies("admin's", b.admins(live), password)
		if b.openInvitations() != 1 {
			t.Error("the invitation is gone")
		}
		b.leaks()
		if events := b.chain(live.ID); events[0].Detail["adminPassword"] != "set" {
			t.Errorf("%+v", events[0])
		}
	})

	t.Run("IsThereForWhoeverTakesOver", func(t *testing.T) {
		b := setup(t)
		b.begin(withPassword("Clinic", password))
		b.exec(`UPDATE tenants SET run_expires_at = now()`)
		run, err := b.Claim(t.Context(), value[[16]byte](b, `SELECT id FROM tenants`), provisioning.ClaimResume, lease("other", time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.PrepareSchema(t.Context(), run, b.seed()); err != nil {
			t.Fatal(err)
		}
		b.verifies("admin's", b.admins(run.Tenant), password)
	})

	t.Run("SurvivesAFailedAttempt", func(t *testing.T) {
		b := setup(t)
		run := b.begin(withPassword("Clinic", password))
		if err := b.PrepareSchema(t.Context(), run, b.seed()); err != nil {
			t.Fatal(err)
		}
		fail(b, run)
		b.verifies("kept", b.kept(), password)
		run, err := b.Claim(t.Context(), run.Tenant.ID, provisioning.ClaimRetry, lease("next", time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.PrepareSchema(t.Context(), run, b.seed()); err != nil {
			t.Fatal(err)
		}
		b.verifies("admin's", b.admins(run.Tenant), password)
	})

	t.Run("EndsWithAnAbort", func(t *testing.T) {
		b := setup(t)
		run := b.begin(withPassword("Clinic", password))
		run, err := b.Abort(t.Context(), run.Tenant.ID, lease("admin", time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Undo(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		if b.kept() != "" {
			t.Error("an archived tenant keeps a hash")
		}
		b.leaks()
	})

	t.Run("NeverStaysWithALiveTenant", func(t *testing.T) { // Also not by the hand of a program that does not know of it.
		b := setup(t)
		b.live(inputs("Clinic"))
		if _, err := b.Pool().Exec(t.Context(), `UPDATE tenants SET admin_password_hash = 'x'`); err == nil || !strings.Contains(err.Error(), "tenants_password_handed_over") {
			t.Errorf("%v", err)
		}
	})
}

func TestDB_Password_Continued(t *testing.T) {
	t.Parallel()
	again := func(b bundle, in provisioning.Inputs) provisioning.Run {
		b.t.Helper()
		b.exec(`UPDATE tenants SET run_expires_at = NULL`)
		c, err := b.Create(b.t.Context(), b.draft(in), lease("next", time.Minute))
		if err != nil || !c.Continued {
			b.t.Fatalf("%+v, %v", c, err)
		}
		return *c.Run
	}

	t.Run("TheNewestWishHolds", func(t *testing.T) {
		b := setup(t)
		first := b.begin(withPassword("Clinic", password))
		run := again(b, withPassword("Clinic", another))
		b.verifies("kept", b.kept(), another)
		if run.Tenant.Version <= first.Tenant.Version {
			t.Errorf("version %d", run.Tenant.Version)
		}
		if err := b.PrepareSchema(t.Context(), run, b.seed()); err != nil {
			t.Fatal(err)
		}
		run = again(b, withPassword("Clinic", password))
		b.verifies("kept", b.kept(), password)
		b.verifies("admin's", b.admins(run.Tenant), password)
		b.leaks()
	})

	t.Run("AWishWithoutOneHasNone", func(t *testing.T) {
		b := setup(t)
		run := b.begin(withPassword("Clinic", password))
		if err := b.PrepareSchema(t.Context(), run, b.seed()); err != nil {
			t.Fatal(err)
		}
		run = again(b, inputs("Clinic"))
		if b.kept() != "" || b.admins(run.Tenant) != "" {
			t.Errorf("registry %q, tenant %q", b.kept(), b.admins(run.Tenant))
		}
		events := b.chain(run.Tenant.ID)
		if changed, _ := events[len(events)-1].Detail["changed"].(map[string]any); changed["adminPassword"] != "removed" || len(changed) != 1 {
			t.Errorf("%+v", events[len(events)-1])
		}
	})

	t.Run("AfterARollbackThatWasInterrupted", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		if err := b.PrepareSchema(t.Context(), run, b.seed()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Abort(t.Context(), run.Tenant.ID, lease("dead", -time.Second)); err != nil {
			t.Fatal(err)
		}
		again(b, withPassword("Clinic", password))
		b.verifies("kept", b.kept(), password)
	})

	t.Run("WhoeverIsInTheWayIsToldAtOnce", func(t *testing.T) { // Without a hash, whose turn may come late.
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		live := b.live(inputs("Live"))
		free := postgres.HoldHashes()
		defer free()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := b.Create(ctx, b.draft(withPassword("Clinic", password)), lease("other", time.Minute))
		wantKind(t, err, provisioning.KindConflict)
		if err != nil && !strings.Contains(provisioning.SafeMessage(err), run.Tenant.ID.String()) {
			t.Errorf("%v", err)
		}
		c, err := b.Create(ctx, b.draft(withPassword("Live", password)), lease("other", time.Minute))
		if err != nil || c.Run != nil || c.Tenant.ID != live.ID {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

func TestDB_Password_Submitted(t *testing.T) {
	t.Parallel()

	t.Run("AWorkerHasIt", func(t *testing.T) {
		b := setupQueue(t)
		s := b.mustSubmit(withPassword("Clinic", password), key("k", "a"))
		b.verifies("recorded", b.kept(), password)
		run, err := b.Claim(t.Context(), s.Tenant.ID, provisioning.ClaimResume, lease("worker", time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.PrepareSchema(t.Context(), run, b.seed()); err != nil {
			t.Fatal(err)
		}
		b.verifies("admin's", b.admins(run.Tenant), password)
		b.leaks()
		if n := value[int](b, `SELECT count(*) FROM river_job j WHERE j::text LIKE '%argon2%' OR j::text LIKE '%horse%'`); n != 0 {
			t.Error("the queue has it")
		}
	})

	t.Run("TheNewestWishHolds", func(t *testing.T) {
		b := setupQueue(t)
		fail(b, b.begin(withPassword("Clinic", password)))
		s := b.mustSubmit(withPassword("Clinic", another), nil)
		b.verifies("kept", b.kept(), another)
		b.exec(`UPDATE tenants SET status = 'FAILED', job_id = NULL, checkpoint = 'CREATE_TENANT_RECORD'`)
		if _, err := b.Requeue(t.Context(), s.Tenant.ID); err != nil {
			t.Fatal(err)
		}
		b.verifies("requeued", b.kept(), another)
		b.exec(`UPDATE tenants SET status = 'FAILED', job_id = NULL`)
		b.mustSubmit(inputs("Clinic"), nil)
		if b.kept() != "" {
			t.Error("a wish without a password has one")
		}
	})
}

func TestDB_Password_Updated(t *testing.T) {
	t.Parallel()

	t.Run("OfALiveTenant", func(t *testing.T) {
		b := setup(t)
		made := b.live(withPassword("Clinic", password))
		got, err := b.Update(t.Context(), made.ID, withPassword("Clinic", another), made.Version)
		if err != nil || got.Version <= made.Version || !got.UpdatedAt.After(made.UpdatedAt) {
			t.Fatalf("%+v, %v", got, err)
		}
		b.verifies("admin's", b.admins(made), another)
		if b.kept() != "" || b.openInvitations() != 0 {
			t.Errorf("registry %q, %d invitations", b.kept(), b.openInvitations())
		}
		// The next welcome mail is another one: no mail server takes it for the first.
		if n := value[int](b, `SELECT welcome_email_serial FROM tenants`); n != 2 {
			t.Errorf("serial %d", n)
		}
		events := b.chain(made.ID)
		last := events[len(events)-1]
		if changed, _ := last.Detail["changed"].(map[string]any); last.Action != provisioning.AuditUpdate || len(changed) != 1 || changed["adminPassword"] != "set" {
			t.Errorf("%+v", last)
		}
		b.leaks()
	})

	t.Run("TogetherWithOtherFields", func(t *testing.T) {
		b := setup(t)
		made := b.live(inputs("Clinic"))
		in := withPassword("Klinik", password)
		in.AdminEmail = "grace@clinic.example"
		if _, err := b.Update(t.Context(), made.ID, in, 0); err != nil {
			t.Fatal(err)
		}
		b.verifies("admin's", b.admins(made), password)
		if email := value[string](b, `SELECT email FROM `+made.SchemaName+`.users`); email != "grace@clinic.example" {
			t.Errorf("%s", email)
		}
	})

	t.Run("AnUpdateWithoutOneLeavesIt", func(t *testing.T) {
		b := setup(t)
		made := b.live(withPassword("Clinic", password))
		if _, err := b.Update(t.Context(), made.ID, inputs("Klinik"), 0); err != nil {
			t.Fatal(err)
		}
		b.verifies("admin's", b.admins(made), password)
		if b.openInvitations() != 1 {
			t.Error("the invitation is gone")
		}
	})

	t.Run("BeforeAndAfterTheSchemaIsThere", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		update := func(p provisioning.Password) {
			t.Helper()
			if _, err := b.Update(t.Context(), run.Tenant.ID, withPassword("Clinic", p), 0); err != nil {
				t.Fatal(err)
			}
			b.verifies("kept", b.kept(), p.Reveal())
		}
		update(password)
		if err := b.PrepareSchema(t.Context(), run, b.seed()); err != nil {
			t.Fatal(err)
		}
		b.verifies("admin's", b.admins(run.Tenant), password)
		update(another)
		b.verifies("admin's", b.admins(run.Tenant), another)
		if b.openInvitations() != 1 {
			t.Error("the invitation that the welcome mail is about to carry is gone")
		}
		if _, err := b.Advance(t.Context(), run, final()); err != nil {
			t.Fatal(err)
		}
		if b.kept() != "" {
			t.Error("the registry keeps it")
		}
	})

	t.Run("OfAFailedTenant", func(t *testing.T) {
		b := setup(t)
		failed := fail(b, b.begin(inputs("Clinic")))
		if _, err := b.Update(t.Context(), failed.ID, withPassword("Clinic", password), 0); err != nil {
			t.Fatal(err)
		}
		b.verifies("kept", b.kept(), password)
	})

	t.Run("NotOfAnArchivedOne", func(t *testing.T) {
		b := setup(t)
		made := b.archived(withPassword("Clinic", password))
		_, err := b.Update(t.Context(), made.ID, withPassword("Clinic", another), 0)
		wantKind(t, err, provisioning.KindConflict)
		b.verifies("admin's", b.admins(made), password)
	})
}
