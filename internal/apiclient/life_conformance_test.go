package apiclient_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// lifeConformance are the moves of live and archived tenants.
var lifeConformance = []conformanceCase{
	{"SuspendsAndResumes", func(t *testing.T, w *testServer, all tenantService) {
		out := provisioned(t, all, clinic())
		for range 2 { // For a SUSPENDED tenant it succeeds.
			got, err := all.Suspend(t.Context(), out.ID)
			if err != nil || got.Tenant.Status != tenant.StatusSuspended || got.Tenant.SuspendedAt.IsZero() || len(got.Warnings) != 0 || got.Tenant.Invitation.Status != invitation.StatusRevoked {
				t.Errorf("%+v, %v", got, err)
			}
		}
		_, err := all.OpenCredential(t.Context(), out.ID, credentials.Request{TTL: time.Hour})
		wantKind(t, err, errs.KindConflict)
		_, err = all.Invite(t.Context(), out.ID)
		wantKind(t, err, errs.KindConflict)
		if found, err := all.Inspect(t.Context(), []uuid.UUID{out.ID}); err != nil || len(found) != 1 || found[0].Database != "IN_SYNC" {
			t.Errorf("%+v, %v", found, err)
		}
		in := clinic()
		in.Name = "Klinik"
		if got, err := all.Update(t.Context(), out.ID, in, 0); err != nil || got.Name != "Klinik" || got.Status != tenant.StatusSuspended {
			t.Errorf("%+v, %v", got, err)
		}
		_, err = all.Provision(t.Context(), tenant.Inputs{Name: "klinik", AdminEmail: "a@b.example", AdminFirstName: "A", AdminLastName: "B"})
		wantKind(t, err, errs.KindConflict) // It holds its name.
		for range 2 {
			if got, err := all.Resume(t.Context(), out.ID); err != nil || got.Status != tenant.StatusActive || !got.SuspendedAt.IsZero() {
				t.Errorf("%+v, %v", got, err)
			}
		}
		if _, err := all.Archive(t.Context(), out.ID); err != nil {
			t.Fatal(err)
		}
		_, err = all.Suspend(t.Context(), out.ID)
		wantKind(t, err, errs.KindConflict)
		_, err = all.Resume(t.Context(), out.ID)
		wantKind(t, err, errs.KindConflict)
	}},
	{"HoldsAndClears", func(t *testing.T, w *testServer, all tenantService) {
		out := provisioned(t, all, clinic())
		held, err := all.SetHold(t.Context(), out.ID, " Case 17 ")
		if err != nil || held.Hold.Reason != "Case 17" || held.Hold.By == "" || held.Hold.Since.IsZero() {
			t.Errorf("%+v, %v", held.Hold, err)
		}
		if stored, err := all.Get(t.Context(), out.ID); err != nil || stored.Hold != held.Hold {
			t.Errorf("%+v, %v", stored.Hold, err)
		}
		for _, reason := range []string{"", " ", strings.Repeat("x", 1001), "a\x00b"} {
			_, err := all.SetHold(t.Context(), out.ID, reason)
			wantReasonError(t, err)
			_, err = all.ClearHold(t.Context(), out.ID, reason)
			wantReasonError(t, err)
		}
		if err := all.CheckPurge(t.Context(), out.ID, out.Name, provisioning.SkipRetention); errs.KindOf(err) != errs.KindConflict || !strings.Contains(errs.SafeMessage(err), "Case 17") {
			t.Errorf("%v", err)
		}
		if _, err := all.Archive(t.Context(), out.ID); err != nil {
			t.Fatal(err)
		}
		w.registry.Archive(40 * 24 * time.Hour)
		for _, retention := range []time.Duration{provisioning.DefaultRetention, provisioning.SkipRetention} {
			_, err = all.Purge(t.Context(), out.ID, out.Name, retention)
			wantKind(t, err, errs.KindConflict)
			if !strings.Contains(errs.SafeMessage(err), "under a legal hold since") || !strings.Contains(errs.SafeMessage(err), "Case 17") {
				t.Errorf("%v", err)
			}
		}
		if got, err := all.ClearHold(t.Context(), out.ID, "Closed"); err != nil || got.Hold.Active() {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := all.Purge(t.Context(), out.ID, out.Name, provisioning.DefaultRetention); err != nil {
			t.Error(err)
		}
	}},
	{"ChecksPurge", func(t *testing.T, w *testServer, all tenantService) {
		out := provisioned(t, all, clinic())
		check := func(id uuid.UUID, confirm string, retention time.Duration) error {
			return all.CheckPurge(t.Context(), id, confirm, retention)
		}
		wantKind(t, check(out.ID, "Another Clinic", provisioning.SkipRetention), errs.KindInvalid)
		wantKind(t, check(out.ID, out.Name, provisioning.DefaultRetention), errs.KindConflict) // It would be archived only now.
		wantKind(t, check(uuid.New(), out.Name, provisioning.SkipRetention), errs.KindNotFound)
		if err := check(out.ID, out.Name, provisioning.SkipRetention); err != nil {
			t.Error(err)
		}
		if got, err := all.Get(t.Context(), out.ID); err != nil || got.Status != tenant.StatusActive {
			t.Errorf("%+v, %v", got, err)
		}
		restore := w.registry.HideMigrations()
		if err := check(out.ID, out.Name, provisioning.SkipRetention); err == nil || !strings.Contains(errs.SafeMessage(err), "tenant_migrations has no version of the schema") {
			t.Errorf("%v", err)
		}
		restore()
		if _, err := all.Archive(t.Context(), out.ID); err != nil {
			t.Fatal(err)
		}
		if err := check(out.ID, out.Name, provisioning.SkipRetention); err != nil {
			t.Error(err)
		}
		if _, err := all.Purge(t.Context(), out.ID, out.Name, provisioning.SkipRetention); err != nil {
			t.Fatal(err)
		}
		if err := check(out.ID, out.Name, provisioning.SkipRetention); err != nil {
			t.Errorf("of a purged tenant: %v", err)
		}
	}},
	{"Protects", func(t *testing.T, w *testServer, all tenantService) {
		in := clinic()
		in.DeletionProtection = new(true)
		out := provisioned(t, all, in)
		if !out.DeletionProtection {
			t.Errorf("%+v", out)
		}
		_, err := all.Archive(t.Context(), out.ID)
		wantKind(t, err, errs.KindConflict)
		if !strings.Contains(errs.SafeMessage(err), "the tenant has deletion protection; turn it off first") {
			t.Error(err)
		}
		in.DeletionProtection = new(false)
		if got, err := all.Update(t.Context(), out.ID, in, 0); err != nil || got.DeletionProtection {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := all.Archive(t.Context(), out.ID); err != nil {
			t.Error(err)
		}
	}},
	{"UnarchivesExisting", func(t *testing.T, w *testServer, all tenantService) {
		out := provisioned(t, all, clinic())
		if _, err := all.Archive(t.Context(), out.ID); err != nil {
			t.Fatal(err)
		}
		in := clinic()
		in.Name, in.AdminLastName = "Klinik", "Hopper"
		_, err := all.Provision(t.Context(), in) // Not without being asked to.
		wantKind(t, err, errs.KindConflict)
		in.UnarchiveExisting = true
		taken := in
		taken.ExternalID = "" // By the name alone it makes another one.
		other := provisioned(t, all, taken)
		if other.ID == out.ID {
			t.Fatal("an archived tenant was brought back by its name")
		}
		_, err = all.Provision(t.Context(), in)
		wantKind(t, err, errs.KindConflict)
		if stored, err := all.Get(t.Context(), out.ID); err != nil || stored.Status != tenant.StatusArchived {
			t.Errorf("%+v, %v", stored, err)
		}
		in.Name = "Another Klinik"
		got, err := all.Provision(t.Context(), in)
		if err != nil || !got.Unarchived || got.Tenant.ID != out.ID || got.Tenant.Status != tenant.StatusActive || got.Tenant.Name != "Another Klinik" || got.Tenant.AdminLastName != "Hopper" {
			t.Errorf("%+v, %v", got, err)
		}
		_, err = all.Provision(t.Context(), in) // It is live now: managed_by and inputs are the same.
		if err != nil {
			t.Error(err)
		}
	}},
}

// TestConformance_Life: the moves of live and archived tenants, also through a server that permits
// purges before the end of the retention.
func TestConformance_Life(t *testing.T) {
	t.Parallel()
	testConformance(t, 0, lifeConformance)
}

// TestClient_EarlyPurge: a server skips the retention only where its operator permits it.
func TestClient_EarlyPurge(t *testing.T) {
	t.Parallel()
	w := newTestServer(t, 0)
	client := w.client(w.server.URL)
	out := provisioned(t, client, clinic())
	if _, err := client.Archive(t.Context(), out.ID); err != nil {
		t.Fatal(err)
	}
	_, err := w.client(w.queueing.URL).Purge(t.Context(), out.ID, out.Name, provisioning.SkipRetention)
	wantKind(t, err, errs.KindPermanent)
	if !strings.Contains(errs.SafeMessage(err), "ALLOW_EARLY_PURGE") {
		t.Error(err)
	}
	if c, err := client.Purge(t.Context(), out.ID, out.Name, provisioning.SkipRetention); err != nil || c.TenantID != out.ID {
		t.Errorf("%+v, %v", c, err)
	}
}

func wantReasonError(t *testing.T, err error) {
	t.Helper()
	wantKind(t, err, errs.KindInvalid)
	if fields := errs.FieldsOf(err); len(fields) != 1 || fields[0].Field != "reason" {
		t.Errorf("%v", err)
	}
}

// provisioned makes a live tenant.
func provisioned(t *testing.T, all tenantService, in tenant.Inputs) tenant.Tenant {
	t.Helper()
	out, err := all.Provision(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out.Tenant
}
