package postgres_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver/pgtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func TestDB_Create(t *testing.T) {
	t.Parallel()

	t.Run("KeepsEveryField", func(t *testing.T) {
		b := setup(t)
		in := inputs("O'Brien & Søn — Klinik")
		in.ExternalID, in.ManagedBy = "crm-7", "team-a"
		made := b.begin(in).Tenant
		got, err := b.Get(t.Context(), made.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Inputs().Equal(in) {
			t.Errorf("inputs %+v, want %+v", got.Inputs(), in)
		}
		if got.Status != provisioning.StatusProvisioning || got.Attempt != 1 || got.CreatedAt.IsZero() || got.WasLive() {
			t.Errorf("tenant %+v", got)
		}
	})

	t.Run("ContinuesWhatNeverWentLive", func(t *testing.T) {
		b := setup(t)
		first := b.begin(inputs("Clinic"))
		if err := b.Release(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		in := inputs("CLINIC")
		in.AdminEmail = "new@clinic.example"
		c, err := b.Create(t.Context(), b.draft(in), lease("second", time.Minute))
		if err != nil || c.Run == nil {
			t.Fatalf("%+v, %v", c, err)
		}
		if !c.Continued || c.Tenant.ID != first.Tenant.ID || c.Tenant.SchemaName != first.Tenant.SchemaName {
			t.Errorf("another tenant: %+v", c.Tenant)
		}
		if c.Tenant.AdminEmail != "new@clinic.example" || c.Tenant.Name != "CLINIC" {
			t.Errorf("the new inputs were not taken: %+v", c.Tenant)
		}
	})

	t.Run("ContinuesFailedAndAbortedOnesWithANewAttempt", func(t *testing.T) {
		for _, undo := range []provisioning.Undo{provisioning.UndoFailed, provisioning.UndoAborted} {
			b := setupSerial(t)
			first := b.begin(inputs("Clinic"))
			if undo == provisioning.UndoFailed {
				if err := b.BeginUndo(t.Context(), first, undo, provisioning.StepRecord{Step: provisioning.StepCreateSchema, Status: provisioning.StepFailed, Error: "no"}); err != nil {
					t.Fatal(err)
				}
			} else {
				var err error
				if first, err = b.Abort(t.Context(), first.Tenant.ID, lease("other", time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := b.Undo(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			c, err := b.Create(t.Context(), b.draft(inputs("Clinic")), lease("again", time.Minute))
			if err != nil || c.Run == nil {
				t.Fatalf("%s: %+v, %v", undo, c, err)
			}
			if c.Tenant.ID != first.Tenant.ID || c.Tenant.Attempt != 2 || c.Tenant.Status != provisioning.StatusProvisioning || c.Tenant.ProvisioningError != "" {
				t.Errorf("%s: %+v", undo, c.Tenant)
			}
		}
	})

	t.Run("NeverAdoptsALiveTenant", func(t *testing.T) {
		b := setup(t)
		live := b.live(inputs("Clinic"))
		c, err := b.Create(t.Context(), b.draft(inputs("clinic")), lease("other", time.Minute))
		if err != nil || c.Run != nil || c.Tenant.ID != live.ID {
			t.Errorf("%+v, %v", c, err)
		}
	})

	t.Run("FindsTheLiveOneOfSeveral", func(t *testing.T) {
		b := setup(t)
		first := b.begin(inputs("Clinic"))
		fail(b, first)
		second := b.begin(inputs("Other"))
		fail(b, second)
		if _, err := b.Update(t.Context(), second.Tenant.ID, inputs("Clinic"), 0); err != nil {
			t.Fatal(err) // A tenant that failed holds its name against nobody.
		}
		run, err := b.Claim(t.Context(), second.Tenant.ID, provisioning.ClaimRetry, lease("x", time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.PrepareSchema(t.Context(), run, b.seed()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Advance(t.Context(), run, final()); err != nil {
			t.Fatal(err)
		}
		c, err := b.Create(t.Context(), b.draft(inputs("Clinic")), lease("x", time.Minute))
		if err != nil || c.Run != nil || c.Tenant.ID != second.Tenant.ID {
			t.Errorf("%+v, %v", c, err)
		}
		found, err := b.FindByName(t.Context(), "Clinic")
		if err != nil || found.ID != second.Tenant.ID {
			t.Errorf("%+v, %v", found, err)
		}
		_, err = b.Claim(t.Context(), first.Tenant.ID, provisioning.ClaimRetry, lease("x", time.Minute))
		wantKind(t, err, provisioning.KindConflict) // The name is taken now.
	})

	t.Run("ArchivedNameIsFree", func(t *testing.T) {
		b := setup(t)
		live := b.live(inputs("Clinic"))
		if _, err := b.Archive(t.Context(), live.ID); err != nil {
			t.Fatal(err)
		}
		if fresh := b.begin(inputs("Clinic")); fresh.Tenant.ID == live.ID || fresh.Tenant.SchemaName == live.SchemaName {
			t.Error("the archived tenant was taken up again")
		}
	})

	t.Run("SaysWhoIsBusy", func(t *testing.T) {
		b := setup(t)
		first := b.begin(inputs("Clinic"))
		c, err := b.Create(t.Context(), b.draft(inputs("Clinic")), lease("other", time.Minute))
		wantKind(t, err, provisioning.KindConflict)
		var known *provisioning.Error
		if !errors.As(err, &known) || known.Lease == nil || c.Run != nil || known.Lease.Epoch != first.Epoch || time.Until(known.Lease.Until) < 50*time.Second {
			t.Errorf("%+v, %v", c, err)
		}
	})

	t.Run("SameExternalIDIsTheSameTenant", func(t *testing.T) {
		b := setup(t)
		in := inputs("Clinic")
		in.ExternalID = "crm-1"
		live := b.live(in)
		in.Name = "Another name"
		c, err := b.Create(t.Context(), b.draft(in), lease("other", time.Minute))
		if err != nil || c.Run != nil || c.Tenant.ID != live.ID {
			t.Errorf("%+v, %v", c, err)
		}
	})

	t.Run("RefusesNameAndExternalIDOfDifferentTenants", func(t *testing.T) {
		b := setup(t)
		one := inputs("One")
		one.ExternalID = "crm-1"
		b.live(one)
		b.live(inputs("Two"))
		one.Name = "Two"
		_, err := b.Create(t.Context(), b.draft(one), lease("other", time.Minute))
		wantKind(t, err, provisioning.KindConflict)
	})

	t.Run("OneOfManyAtOnceGetsTheName", func(t *testing.T) {
		b := setup(t)
		var wg sync.WaitGroup
		claimed := make(chan uuid.UUID, 16)
		for range cap(claimed) {
			wg.Go(func() {
				c, err := b.Create(t.Context(), b.draft(inputs("Clinic")), lease("x", time.Minute))
				switch {
				case err == nil && c.Run != nil:
					claimed <- c.Tenant.ID
				case provisioning.KindOf(err) != provisioning.KindConflict:
					t.Errorf("%+v, %v", c, err)
				}
			})
		}
		wg.Wait()
		if len(claimed) != 1 || value[int](b, `SELECT count(*) FROM tenants`) != 1 {
			t.Errorf("%d claims, %d rows", len(claimed), value[int](b, `SELECT count(*) FROM tenants`))
		}
	})

	t.Run("SchemaNameClashPicksAnotherNumber", func(t *testing.T) {
		b := setup(t)
		first := b.begin(inputs("St Mary"))
		d := b.draft(inputs("st. mary"))
		d.SchemaName = first.Tenant.SchemaName
		c, err := b.Create(t.Context(), d, lease("x", time.Minute))
		if err != nil || c.Run == nil || c.Tenant.SchemaName == first.Tenant.SchemaName {
			t.Errorf("%+v, %v", c, err)
		}
	})

	t.Run("HostileNamesAreOnlyNames", func(t *testing.T) {
		b := setup(t)
		for _, name := range []string{`x'); DROP SCHEMA public CASCADE;--`, `"; DROP TABLE tenants; --`, "PG Clinic", "3M Health", "协和医院", strings.Repeat("a", 255), strings.Repeat("b", 255)} {
			made := b.live(inputs(name))
			if made.Name != name {
				t.Errorf("stored %q as %q", name, made.Name)
			}
			if n := value[int](b, `SELECT count(*) FROM pg_namespace WHERE nspname = $1`, made.SchemaName); n != 1 {
				t.Errorf("%q has no schema %q", name, made.SchemaName)
			}
		}
	})
}

// setupSerial is setup for use inside a loop of one subtest.
func setupSerial(t *testing.T) bundle {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Options{URL: pgtest.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return bundle{db, t}
}

func TestDB_Update(t *testing.T) {
	t.Parallel()

	t.Run("ChangesRegistryAndAdminUser", func(t *testing.T) {
		b := setup(t)
		made := b.live(inputs("Clinic"))
		in := provisioning.Inputs{Name: "New", AdminEmail: "x@y.example", AdminFirstName: "X", AdminLastName: "Y", Metadata: map[string]string{"a": "b"}}
		got, err := b.Update(t.Context(), made.ID, in, made.Version)
		if err != nil || !got.Inputs().Equal(in) || got.Version <= made.Version {
			t.Fatalf("%+v, %v", got, err)
		}
		if user := value[string](b, `SELECT concat_ws(' ', email, first_name, last_name) FROM `+made.SchemaName+`.users`); user != "x@y.example X Y" {
			t.Errorf("user %q", user)
		}
	})

	t.Run("WithoutADifferenceChangesNothing", func(t *testing.T) {
		b := setup(t)
		made := b.live(inputs("Clinic"))
		got, err := b.Update(t.Context(), made.ID, inputs("Clinic"), 0)
		if err != nil || got.Version != made.Version || !got.UpdatedAt.Equal(made.UpdatedAt) {
			t.Errorf("%+v, %v", got, err)
		}
	})

	t.Run("RefusesANameThatIsTaken", func(t *testing.T) {
		b := setup(t)
		b.live(inputs("One"))
		two := b.live(inputs("Two"))
		_, err := b.Update(t.Context(), two.ID, inputs("ONE"), 0)
		wantKind(t, err, provisioning.KindConflict)
		if f := provisioning.FieldsOf(err); len(f) != 1 || f[0].Field != "name" {
			t.Errorf("fields %+v", f)
		}
	})

	t.Run("RefusesAnOldVersion", func(t *testing.T) {
		b := setup(t)
		made := b.live(inputs("One"))
		_, err := b.Update(t.Context(), made.ID, inputs("Two"), made.Version-1)
		wantKind(t, err, provisioning.KindStale)
	})

	t.Run("RefusesAnArchivedTenant", func(t *testing.T) {
		b := setup(t)
		made := b.live(inputs("One"))
		if _, err := b.Archive(t.Context(), made.ID); err != nil {
			t.Fatal(err)
		}
		_, err := b.Update(t.Context(), made.ID, inputs("Two"), 0)
		wantKind(t, err, provisioning.KindConflict)
	})

	t.Run("UnknownTenant", func(t *testing.T) {
		b := setup(t)
		_, err := b.Update(t.Context(), uuid.New(), inputs("Two"), 0)
		wantKind(t, err, provisioning.KindNotFound)
	})
}

func TestDB_Welcome(t *testing.T) {
	b := setup(t)
	inv := provisioning.NewInvitation(time.Now())
	sent := provisioning.StepRecord{Step: provisioning.StepSendWelcomeEmail, Status: provisioning.StepCompleted}
	refused := func(id uuid.UUID) {
		t.Helper()
		_, _, err := b.Reinvite(t.Context(), id, inv)
		wantKind(t, err, provisioning.KindConflict)
		_, err = b.RecordWelcome(t.Context(), id, provisioning.WelcomeEmailSent, sent)
		wantKind(t, err, provisioning.KindConflict)
	}
	running := b.begin(inputs("Running"))
	refused(running.Tenant.ID)
	live := b.live(inputs("Clinic"))
	_, serial, err := b.Reinvite(t.Context(), live.ID, inv)
	if err != nil || serial != 2 { // Another mail in place of the one that arrived.
		t.Errorf("serial %d, %v", serial, err)
	}
	unused := func() int {
		return value[int](b, `SELECT count(*) FROM tenant_invitations WHERE tenant_id = $1`, live.ID)
	}
	if n := unused(); n != 1 {
		t.Errorf("%d invitations: the one of the mail before is good still", n)
	}
	if _, err = b.RecordWelcome(t.Context(), live.ID, provisioning.WelcomeEmailPending, sent); err != nil {
		t.Fatal(err)
	}
	if _, serial, err = b.Reinvite(t.Context(), live.ID, provisioning.NewInvitation(time.Now())); err != nil || serial != 2 || unused() != 2 {
		t.Errorf("serial %d, %d invitations, %v: it is the same mail, tried again", serial, unused(), err)
	}
	in := inputs("Clinic")
	in.AdminEmail = "grace@clinic.example"
	if _, err := b.Update(t.Context(), live.ID, in, 0); err != nil || unused() != 0 {
		t.Errorf("%d invitations to the old address, %v", unused(), err)
	}
	if _, serial, err = b.Reinvite(t.Context(), live.ID, inv); err != nil || serial != 3 {
		t.Errorf("serial %d, %v", serial, err)
	}
	if n := value[int](b, `SELECT count(*) FROM tenant_invitations i JOIN tenants t ON t.id = tenant_id AND t.admin_user_id = user_id WHERE token_hash = $1`, inv.Hash[:]); n != 1 {
		t.Errorf("%d invitations", n)
	}
	got, err := b.RecordWelcome(t.Context(), live.ID, provisioning.WelcomeEmailFailed, sent)
	if err != nil || got.WelcomeEmail != provisioning.WelcomeEmailFailed {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := b.Archive(t.Context(), live.ID); err != nil {
		t.Fatal(err)
	}
	refused(live.ID)
}

func TestDB_Archive(t *testing.T) {
	b := setup(t)
	made := b.live(inputs("Clinic"))
	for range 2 { // Again is the same.
		got, err := b.Archive(t.Context(), made.ID)
		if err != nil || got.Status != provisioning.StatusArchived || got.ArchivedAt.IsZero() {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if n := value[int](b, `SELECT count(*) FROM `+made.SchemaName+`.users`); n != 1 {
		t.Errorf("%d users are left", n)
	}
	found, err := b.FindByName(t.Context(), "CLINIC")
	if err != nil || found.ID != made.ID {
		t.Errorf("%+v, %v", found, err)
	}
	late := b.begin(inputs("Late"))
	if err := b.PrepareSchema(t.Context(), late, b.seed()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Advance(t.Context(), late, final()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Archive(t.Context(), late.Tenant.ID); err != nil {
		t.Fatal(err)
	}
	wantKind(t, b.Invite(t.Context(), late, provisioning.NewInvitation(time.Now())), provisioning.KindFenced)
	running := b.begin(inputs("Other"))
	_, err = b.Archive(t.Context(), running.Tenant.ID)
	wantKind(t, err, provisioning.KindConflict)
}

func TestDB_Migrate(t *testing.T) {
	t.Parallel()

	t.Run("OnceForManyAtOnce", func(t *testing.T) {
		t.Parallel()
		url := pgtest.Empty(t)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				db, err := postgres.Open(t.Context(), postgres.Options{URL: url})
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

	t.Run("RefusesANewerRegistry", func(t *testing.T) {
		b := setup(t)
		b.exec(`INSERT INTO healthcare_migrations (version_id, is_applied) VALUES (999, true)`)
		_, err := b.Get(t.Context(), uuid.New())
		wantKind(t, err, provisioning.KindPermanent)
		if !strings.Contains(provisioning.SafeMessage(err), "999") {
			t.Errorf("message %q", provisioning.SafeMessage(err))
		}
	})

	t.Run("RefusesAnUnmigratedRegistryWhenManual", func(t *testing.T) {
		t.Parallel()
		db, err := postgres.Open(t.Context(), postgres.Options{URL: pgtest.Empty(t), ManualMigrate: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		_, err = db.Get(t.Context(), uuid.New())
		wantKind(t, err, provisioning.KindPermanent)
	})
}

func TestOpen_KeepsThePasswordOutOfErrors(t *testing.T) {
	t.Parallel()
	_, err := postgres.Open(t.Context(), postgres.Options{URL: "postgres://u:s3cret@host:notaport/db"})
	wantKind(t, err, provisioning.KindInvalid)
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error %v", err)
	}
}

func TestDB_UnreachableIsTransient(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(t.Context(), postgres.Options{URL: "postgres://u:s3cret@127.0.0.1:1/db"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	_, err = db.Get(t.Context(), uuid.New())
	wantKind(t, err, provisioning.KindTransient)
	if m := provisioning.SafeMessage(err); strings.Contains(m, "127.0.0.1") || strings.Contains(m, "s3cret") {
		t.Errorf("message %q", m)
	}
}
