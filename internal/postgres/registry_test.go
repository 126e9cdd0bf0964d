package postgres_test

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestDB_Create(t *testing.T) {
	t.Parallel()

	t.Run("KeepsEveryField", func(t *testing.T) {
		b := setup(t)
		in := postgrestest.Inputs("O'Brien & Søn — Klinik")
		for field, changed := range postgrestest.OneFieldChanged(t, tenant.Inputs{}) { // Each field has a value.
			if target := reflect.ValueOf(&in).Elem().FieldByName(field); target.IsZero() {
				target.Set(reflect.ValueOf(changed).FieldByName(field))
			}
		}
		in.Blueprint = "clinic"
		created := b.ClaimNew(in).Tenant
		got, err := b.Get(t.Context(), created.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Inputs().Equal(in) {
			t.Errorf("inputs %+v, want %+v", got.Inputs(), in)
		}
		if got.Status != tenant.StatusProvisioning || got.Attempt != 1 || got.CreatedAt.IsZero() || got.WasLive() {
			t.Errorf("tenant %+v", got)
		}
	})

	t.Run("ContinuesTenantThatWasNeverLive", func(t *testing.T) {
		b := setup(t)
		first := b.ClaimNew(postgrestest.Inputs("Clinic"))
		if err := b.Release(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		in := postgrestest.Inputs("CLINIC")
		in.AdminEmail = "new@clinic.example"
		c, err := b.Create(t.Context(), b.Draft(in), postgrestest.LeaseRequest("second", time.Minute))
		if err != nil || c.Run == nil {
			t.Fatalf("%+v, %v", c, err)
		}
		if !c.Continued || c.Tenant.ID != first.Tenant.ID || c.Tenant.SchemaName != first.Tenant.SchemaName {
			t.Errorf("another tenant: %+v", c.Tenant)
		}
		if c.Tenant.AdminEmail != "new@clinic.example" || c.Tenant.Name != "CLINIC" {
			t.Errorf("the new inputs were not stored: %+v", c.Tenant)
		}
	})

	t.Run("ContinuesFailedAndAbortedTenantsInNewAttempt", func(t *testing.T) {
		for _, target := range []provisioning.Rollback{provisioning.RollbackToFailed, provisioning.RollbackToArchived} {
			b := setupNested(t)
			first := b.ClaimNew(postgrestest.Inputs("Clinic"))
			if target == provisioning.RollbackToFailed {
				if err := b.BeginRollback(t.Context(), first, target, tenant.StepRecord{Step: tenant.StepCreateSchema, Status: tenant.StepFailed, Error: "no"}); err != nil {
					t.Fatal(err)
				}
			} else {
				var err error
				if first, err = b.Abort(t.Context(), first.Tenant.ID, postgrestest.LeaseRequest("other", time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := b.RollBack(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			c, err := b.Create(t.Context(), b.Draft(postgrestest.Inputs("Clinic")), postgrestest.LeaseRequest("again", time.Minute))
			if err != nil || c.Run == nil {
				t.Fatalf("%s: %+v, %v", target, c, err)
			}
			if c.Tenant.ID != first.Tenant.ID || c.Tenant.Attempt != 2 || c.Tenant.Status != tenant.StatusProvisioning || c.Tenant.ProvisioningError != "" {
				t.Errorf("%s: %+v", target, c.Tenant)
			}
		}
	})

	t.Run("NeverAdoptsLiveTenant", func(t *testing.T) {
		b := setup(t)
		active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		c, err := b.Create(t.Context(), b.Draft(postgrestest.Inputs("clinic")), postgrestest.LeaseRequest("other", time.Minute))
		if err != nil || c.Run != nil || c.Tenant.ID != active.ID {
			t.Errorf("%+v, %v", c, err)
		}
	})

	t.Run("FindsLiveTenantAmongSeveral", func(t *testing.T) {
		b := setup(t)
		first := b.ClaimNew(postgrestest.Inputs("Clinic"))
		b.FailTenant(first)
		second := b.ClaimNew(postgrestest.Inputs("Other"))
		b.FailTenant(second)
		if _, err := b.Update(t.Context(), second.Tenant.ID, postgrestest.Inputs("Clinic"), 0); err != nil {
			t.Fatal(err) // A failed tenant does not hold its name.
		}
		run, err := b.Claim(t.Context(), second.Tenant.ID, provisioning.ClaimRetry, postgrestest.LeaseRequest("x", time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Advance(t.Context(), run, postgrestest.Activation()); err != nil {
			t.Fatal(err)
		}
		c, err := b.Create(t.Context(), b.Draft(postgrestest.Inputs("Clinic")), postgrestest.LeaseRequest("x", time.Minute))
		if err != nil || c.Run != nil || c.Tenant.ID != second.Tenant.ID {
			t.Errorf("%+v, %v", c, err)
		}
		found, err := b.FindByName(t.Context(), "Clinic")
		if err != nil || found.ID != second.Tenant.ID {
			t.Errorf("%+v, %v", found, err)
		}
		_, err = b.Claim(t.Context(), first.Tenant.ID, provisioning.ClaimRetry, postgrestest.LeaseRequest("x", time.Minute))
		postgrestest.WantKind(t, err, errs.KindConflict) // The name is in use now.
	})

	t.Run("ArchivedNameIsFree", func(t *testing.T) {
		b := setup(t)
		active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		if _, err := b.Archive(t.Context(), active.ID); err != nil {
			t.Fatal(err)
		}
		if recreated := b.ClaimNew(postgrestest.Inputs("Clinic")); recreated.Tenant.ID == active.ID || recreated.Tenant.SchemaName == active.SchemaName {
			t.Error("the archived tenant was continued")
		}
	})

	t.Run("ReturnsLeaseOfHolder", func(t *testing.T) {
		b := setup(t)
		first := b.ClaimNew(postgrestest.Inputs("Clinic"))
		c, err := b.Create(t.Context(), b.Draft(postgrestest.Inputs("Clinic")), postgrestest.LeaseRequest("other", time.Minute))
		postgrestest.WantKind(t, err, errs.KindConflict)
		var typed *errs.Error
		if !errors.As(err, &typed) || typed.Lease == nil || c.Run != nil || typed.Lease.Epoch != first.Epoch || time.Until(typed.Lease.Until) < 50*time.Second {
			t.Errorf("%+v, %v", c, err)
		}
	})

	t.Run("SameExternalIDReturnsSameTenant", func(t *testing.T) {
		b := setup(t)
		in := postgrestest.Inputs("Clinic")
		in.ExternalID = "crm-1"
		active := b.ActiveTenant(in)
		in.Name = "Another name"
		c, err := b.Create(t.Context(), b.Draft(in), postgrestest.LeaseRequest("other", time.Minute))
		if err != nil || c.Run != nil || c.Tenant.ID != active.ID {
			t.Errorf("%+v, %v", c, err)
		}
	})

	t.Run("RejectsNameAndExternalIDOfDifferentTenants", func(t *testing.T) {
		b := setup(t)
		one := postgrestest.Inputs("One")
		one.ExternalID = "crm-1"
		b.ActiveTenant(one)
		b.ActiveTenant(postgrestest.Inputs("Two"))
		one.Name = "Two"
		_, err := b.Create(t.Context(), b.Draft(one), postgrestest.LeaseRequest("other", time.Minute))
		postgrestest.WantKind(t, err, errs.KindConflict)
	})

	t.Run("OneConcurrentCreateGetsName", func(t *testing.T) {
		b := setup(t)
		var wg sync.WaitGroup
		claimed := make(chan uuid.UUID, 16)
		for range cap(claimed) {
			wg.Go(func() {
				c, err := b.Create(t.Context(), b.Draft(postgrestest.Inputs("Clinic")), postgrestest.LeaseRequest("x", time.Minute))
				switch {
				case err == nil && c.Run != nil:
					claimed <- c.Tenant.ID
				case errs.KindOf(err) != errs.KindConflict:
					t.Errorf("%+v, %v", c, err)
				}
			})
		}
		wg.Wait()
		if len(claimed) != 1 || value[int](b, `SELECT count(*) FROM tenants`) != 1 {
			t.Errorf("%d claims, %d rows", len(claimed), value[int](b, `SELECT count(*) FROM tenants`))
		}
	})

	t.Run("SchemaNameConflictPicksAnotherNumber", func(t *testing.T) {
		b := setup(t)
		first := b.ClaimNew(postgrestest.Inputs("St Mary"))
		d := b.Draft(postgrestest.Inputs("st. mary"))
		d.SchemaName = first.Tenant.SchemaName
		c, err := b.Create(t.Context(), d, postgrestest.LeaseRequest("x", time.Minute))
		if err != nil || c.Run == nil || c.Tenant.SchemaName == first.Tenant.SchemaName {
			t.Errorf("%+v, %v", c, err)
		}
	})

	t.Run("HostileNamesAreStoredAsText", func(t *testing.T) {
		b := setup(t)
		for _, name := range []string{`x'); DROP SCHEMA public CASCADE;--`, `"; DROP TABLE tenants; --`, "PG Clinic", "3M Health", "协和医院", strings.Repeat("a", 255), strings.Repeat("b", 255)} {
			created := b.ActiveTenant(postgrestest.Inputs(name))
			if created.Name != name {
				t.Errorf("stored %q as %q", name, created.Name)
			}
			if n := value[int](b, `SELECT count(*) FROM pg_namespace WHERE nspname = $1`, created.SchemaName); n != 1 {
				t.Errorf("%q has no schema %q", name, created.SchemaName)
			}
		}
	})
}

// setupNested is setup for a loop inside one subtest.
func setupNested(t *testing.T) fixture {
	t.Helper()
	db, err := postgres.Open(t.Context(), pgdb.Options{URL: testenv.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return fixture{postgrestest.Fixture{DB: db, T: t}}
}

func TestDB_Update(t *testing.T) {
	t.Parallel()

	t.Run("ChangesRegistryAndAdminUser", func(t *testing.T) {
		b := setup(t)
		created := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		in := tenant.Inputs{Name: "New", AdminEmail: "x@y.example", AdminFirstName: "X", AdminLastName: "Y", Metadata: map[string]string{"a": "b"}}
		got, err := b.Update(t.Context(), created.ID, in, created.Version)
		if err != nil || !got.Inputs().Equal(in) || got.Version <= created.Version {
			t.Fatalf("%+v, %v", got, err)
		}
		if user := value[string](b, `SELECT concat_ws(' ', email, first_name, last_name) FROM `+created.SchemaName+`.users`); user != "x@y.example X Y" {
			t.Errorf("user %q", user)
		}
	})

	t.Run("StoresAndAuditsEachField", func(t *testing.T) {
		b := setup(t)
		base := postgrestest.Inputs("Clinic")
		created := b.ActiveTenant(base)
		for field, in := range postgrestest.OneFieldChanged(t, base) {
			if in.Equal(base) {
				t.Errorf("Inputs.Equal does not compare %s", field)
			}
			if _, err := b.Update(t.Context(), created.ID, in, 0); err != nil {
				t.Fatalf("%s: %v", field, err)
			}
			if got, err := b.Get(t.Context(), created.ID); err != nil || !got.Inputs().Equal(in) {
				t.Errorf("%s: %+v, %v", field, got.Inputs(), err)
			}
			chain := b.VerifiedChain(created.ID)
			changed, _ := chain[len(chain)-1].Detail["changed"].(map[string]any)
			if len(changed) != 1 {
				t.Errorf("%s: the audit event has the changes %v, want one", field, changed)
			}
			if _, err := b.Update(t.Context(), created.ID, base, 0); err != nil {
				t.Fatal(err)
			}
		}
	})

	t.Run("SameInputsChangeNothing", func(t *testing.T) {
		b := setup(t)
		created := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		got, err := b.Update(t.Context(), created.ID, postgrestest.Inputs("Clinic"), 0)
		if err != nil || got.Version != created.Version || !got.UpdatedAt.Equal(created.UpdatedAt) {
			t.Errorf("%+v, %v", got, err)
		}
	})

	t.Run("RejectsNameInUse", func(t *testing.T) {
		b := setup(t)
		b.ActiveTenant(postgrestest.Inputs("One"))
		two := b.ActiveTenant(postgrestest.Inputs("Two"))
		_, err := b.Update(t.Context(), two.ID, postgrestest.Inputs("ONE"), 0)
		postgrestest.WantKind(t, err, errs.KindConflict)
		if f := errs.FieldsOf(err); len(f) != 1 || f[0].Field != "name" {
			t.Errorf("fields %+v", f)
		}
	})

	t.Run("RejectsOldVersion", func(t *testing.T) {
		b := setup(t)
		created := b.ActiveTenant(postgrestest.Inputs("One"))
		_, err := b.Update(t.Context(), created.ID, postgrestest.Inputs("Two"), created.Version-1)
		postgrestest.WantKind(t, err, errs.KindStale)
	})

	t.Run("RejectsArchivedTenant", func(t *testing.T) {
		b := setup(t)
		created := b.ActiveTenant(postgrestest.Inputs("One"))
		if _, err := b.Archive(t.Context(), created.ID); err != nil {
			t.Fatal(err)
		}
		_, err := b.Update(t.Context(), created.ID, postgrestest.Inputs("Two"), 0)
		postgrestest.WantKind(t, err, errs.KindConflict)
	})

	t.Run("UnknownTenant", func(t *testing.T) {
		b := setup(t)
		_, err := b.Update(t.Context(), uuid.New(), postgrestest.Inputs("Two"), 0)
		postgrestest.WantKind(t, err, errs.KindNotFound)
	})
}

func TestDB_WelcomeMail(t *testing.T) {
	b := setup(t)
	inv := invitation.NewInvitation(time.Now().Add(invitation.DefaultTTL))
	sent := tenant.StepRecord{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepCompleted}
	wantConflict := func(id uuid.UUID) {
		t.Helper()
		_, _, err := b.CreateInvitation(t.Context(), id, inv, time.Minute)
		postgrestest.WantKind(t, err, errs.KindConflict)
	}
	running := b.ClaimNew(postgrestest.Inputs("Running"))
	wantConflict(running.Tenant.ID)
	_, err := b.RecordWelcome(t.Context(), running.Tenant.ID, provisioning.WelcomeOutcome{Status: tenant.WelcomeEmailSent, Record: sent, Claim: running.MailClaim})
	postgrestest.WantKind(t, err, errs.KindConflict)
	active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	_, ref, err := b.CreateInvitation(t.Context(), active.ID, inv, time.Minute)
	if err != nil || ref.Serial != 2 { // A second mail replaces the delivered one.
		t.Errorf("serial %d, %v", ref.Serial, err)
	}
	invitationCount := func() int {
		return value[int](b, `SELECT count(*) FROM tenant_invitations WHERE tenant_id = $1 AND revoked_at IS NULL`, active.ID)
	}
	if n := invitationCount(); n != 1 {
		t.Errorf("%d invitations: the invitation of the previous mail is still valid", n)
	}
	if _, err = b.RecordWelcome(t.Context(), active.ID, provisioning.WelcomeOutcome{Status: tenant.WelcomeEmailPending, Record: sent, Claim: ref.Claim}); err != nil {
		t.Fatal(err)
	}
	if _, ref, err = b.CreateInvitation(t.Context(), active.ID, invitation.NewInvitation(time.Now().Add(invitation.DefaultTTL)), time.Minute); err != nil || ref.Serial != 2 || invitationCount() != 2 {
		t.Errorf("serial %d, %d invitations, %v: want a retry of the same mail", ref.Serial, invitationCount(), err)
	}
	in := postgrestest.Inputs("Clinic")
	in.AdminEmail = "grace@clinic.example"
	if _, err := b.Update(t.Context(), active.ID, in, 0); err != nil || invitationCount() != 0 {
		t.Errorf("%d invitations to the old address, %v", invitationCount(), err)
	}
	inv = invitation.NewInvitation(time.Now().Add(invitation.DefaultTTL))
	if _, ref, err = b.CreateInvitation(t.Context(), active.ID, inv, time.Minute); err != nil || ref.Serial != 3 {
		t.Errorf("serial %d, %v", ref.Serial, err)
	}
	if n := value[int](b, `SELECT count(*) FROM tenant_invitations i JOIN tenants t ON t.id = tenant_id AND t.admin_user_id = user_id WHERE token_hash = $1`, inv.Hash[:]); n != 1 {
		t.Errorf("%d invitations", n)
	}
	got, err := b.RecordWelcome(t.Context(), active.ID, provisioning.WelcomeOutcome{Status: tenant.WelcomeEmailFailed, Record: sent, Claim: ref.Claim})
	if err != nil || got.WelcomeEmail != tenant.WelcomeEmailFailed {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := b.Archive(t.Context(), active.ID); err != nil {
		t.Fatal(err)
	}
	wantConflict(active.ID)
}

func TestDB_Archive(t *testing.T) {
	b := setup(t)
	created := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	for range 2 { // A repeat has the same result.
		got, err := b.Archive(t.Context(), created.ID)
		if err != nil || got.Status != tenant.StatusArchived || got.ArchivedAt.IsZero() {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if n := value[int](b, `SELECT count(*) FROM `+created.SchemaName+`.users`); n != 1 {
		t.Errorf("%d users remain", n)
	}
	found, err := b.FindByName(t.Context(), "CLINIC")
	if err != nil || found.ID != created.ID {
		t.Errorf("%+v, %v", found, err)
	}
	second := b.ClaimNew(postgrestest.Inputs("Late"))
	if err := b.PrepareSchema(t.Context(), second, b.Seed()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Advance(t.Context(), second, postgrestest.Activation()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Archive(t.Context(), second.Tenant.ID); err != nil {
		t.Fatal(err)
	}
	postgrestest.WantKind(t, b.AddInvitation(t.Context(), second, invitation.NewInvitation(time.Now().Add(invitation.DefaultTTL))), errs.KindFenced)
	running := b.ClaimNew(postgrestest.Inputs("Other"))
	_, err = b.Archive(t.Context(), running.Tenant.ID)
	postgrestest.WantKind(t, err, errs.KindConflict)
}

func TestDB_Migrate(t *testing.T) {
	t.Parallel()

	t.Run("ConcurrentUsersMigrateOnce", func(t *testing.T) {
		t.Parallel()
		url := testenv.EmptyDatabase(t)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				db, err := postgres.Open(t.Context(), pgdb.Options{URL: url})
				if err != nil {
					t.Error(err)
					return
				}
				defer db.Close()
				if err := db.Migrate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})

	t.Run("RejectsNewerRegistry", func(t *testing.T) {
		b := setup(t)
		b.Exec(`INSERT INTO healthcare_migrations (version_id, is_applied) VALUES (999, true)`)
		_, err := b.Get(t.Context(), uuid.New())
		postgrestest.WantKind(t, err, errs.KindPermanent)
		if !strings.Contains(errs.SafeMessage(err), "999") {
			t.Errorf("message %q", errs.SafeMessage(err))
		}
	})

	t.Run("RejectsUnmigratedRegistryWhenManual", func(t *testing.T) {
		t.Parallel()
		db, err := postgres.Open(t.Context(), pgdb.Options{URL: testenv.EmptyDatabase(t), ManualMigrate: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		_, err = db.Get(t.Context(), uuid.New())
		postgrestest.WantKind(t, err, errs.KindPermanent)
	})
}

func TestOpen_ErrorHidesPassword(t *testing.T) {
	t.Parallel()
	_, err := postgres.Open(t.Context(), pgdb.Options{URL: "postgres://u:s3cret@host:notaport/db"})
	postgrestest.WantKind(t, err, errs.KindInvalid)
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error %v", err)
	}
}

func TestDB_UnreachableIsTransient(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(t.Context(), pgdb.Options{URL: "postgres://u:s3cret@127.0.0.1:1/db"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	_, err = db.Get(t.Context(), uuid.New())
	postgrestest.WantKind(t, err, errs.KindTransient)
	if m := errs.SafeMessage(err); strings.Contains(m, "127.0.0.1") || strings.Contains(m, "s3cret") {
		t.Errorf("message %q", m)
	}
}

// TestDB_ShorterInvitation: while a longer link of the same mail works, the invitation is PENDING.
func TestDB_ShorterInvitation(t *testing.T) {
	b := setup(t)
	active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	long, short := time.Now().Add(72*time.Hour).Truncate(time.Second), time.Now().Add(time.Hour).Truncate(time.Second)
	for _, c := range []struct {
		end, want time.Time
		outcome   tenant.WelcomeEmailStatus
	}{{long, long, tenant.WelcomeEmailPending}, {short, long, tenant.WelcomeEmailSent}, {short, short, tenant.WelcomeEmailSent}} {
		_, ref, err := b.CreateInvitation(t.Context(), active.ID, invitation.NewInvitation(c.end), time.Minute)
		b.Must(err)
		sent := tenant.StepRecord{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepCompleted}
		got, err := b.RecordWelcome(t.Context(), active.ID, provisioning.WelcomeOutcome{Status: c.outcome, Record: sent, Claim: ref.Claim})
		b.Must(err)
		if !got.Invitation.ExpiresAt.Equal(c.want) {
			t.Errorf("it ends %v, want %v", got.Invitation.ExpiresAt, c.want)
		}
	}
}
