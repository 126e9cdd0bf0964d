//go:build unix

package postgres_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// cyrillic is "Clinic A" with the Cyrillic letter for its C.
const cyrillic = "Сlinic A"

func confusable(name string) tenant.Inputs {
	in := postgrestest.Inputs(name)
	in.AllowConfusableName = true
	return in
}

func wantConfusable(t *testing.T, err error, other tenant.Tenant) {
	t.Helper()
	postgrestest.WantKind(t, err, errs.KindConflict)
	fields := errs.FieldsOf(err)
	if len(fields) != 1 || fields[0].Field != "name" {
		t.Fatalf("fields %v of %v", fields, err)
	}
	for _, want := range []string{`looks like "` + other.Name + `"`, other.ID.String(), "allowConfusableName"} {
		if !strings.Contains(errs.SafeMessage(err), want) {
			t.Errorf("%q does not say %q", errs.SafeMessage(err), want)
		}
	}
}

// TestDB_ConfusableNames: every way to a name refuses one that looks like that of another tenant.
func TestDB_ConfusableNames(t *testing.T) {
	b := setup(t)
	create := func(in tenant.Inputs) (tenant.Tenant, error) {
		c, err := b.Create(t.Context(), b.Draft(in), postgrestest.LeaseRequest("w", time.Minute))
		return c.Tenant, err
	}
	first := b.ActiveTenant(postgrestest.Inputs("Clinic A"))
	_, err := create(postgrestest.Inputs(cyrillic))
	wantConfusable(t, err, first)
	_, err = create(postgrestest.Inputs("СLІNIС А"))
	wantConfusable(t, err, first)

	for _, same := range []string{"Clinic\U000E0041 A", "Cli\u034fnic A", "Clinic\u00a0A", "Ｃｌｉｎｉｃ　Ａ"} {
		if found, err := create(postgrestest.Inputs(same)); err != nil || found.ID != first.ID {
			t.Errorf("%q is another tenant: %v, %v", same, found.ID, err)
		}
	}

	other := b.ActiveTenant(postgrestest.Inputs("Other"))
	renamed := other.Inputs()
	renamed.Name = cyrillic
	_, err = b.Update(t.Context(), other.ID, renamed, 0)
	wantConfusable(t, err, first)

	renamed.AllowConfusableName = true
	other, err = b.Update(t.Context(), other.ID, renamed, 0)
	b.Must(err)
	notAllowed := other.Inputs()
	notAllowed.AllowConfusableName = false
	_, err = b.Update(t.Context(), other.ID, notAllowed, 0)
	wantConfusable(t, err, first)
	unrelated := first.Inputs() // Of the tenant that was there first.
	unrelated.AdminFirstName = "Grace"
	_, err = b.Update(t.Context(), first.ID, unrelated, 0)
	b.Must(err)

	for _, id := range []tenant.Tenant{first, other} {
		_, err = b.Archive(t.Context(), id.ID)
		b.Must(err)
	}
	third := b.ActiveTenant(postgrestest.Inputs("Clinіc A")) // U+0456.
	_, err = b.Unarchive(t.Context(), first.ID)
	wantConfusable(t, err, third)
	_, err = b.Unarchive(t.Context(), other.ID)
	b.Must(err)
}

// TestDB_ConfusableNames_Possible: names that a reader of one script has to tell apart, too.
func TestDB_ConfusableNames_Possible(t *testing.T) {
	b := setup(t)
	for _, name := range []string{"Ward 1", "Ward I", "Ward l", "Klinik Köln", "Клиника З", "Клиника 3"} {
		b.ActiveTenant(postgrestest.Inputs(name))
	}
	b.ActiveTenant(confusable("Wаrd 1"))
	b.ActiveTenant(confusable("Сlinic B"))
	b.ActiveTenant(postgrestest.Inputs("Clinic B"))
}

// TestDB_ConfusableNames_AtOnce: of creations at once with names that look alike, one wins.
func TestDB_ConfusableNames_AtOnce(t *testing.T) {
	b := setup(t)
	for range 10 {
		names := []string{"Clinic A", cyrillic, "Clinic А", "Clіnic A", "Clinіc A", "СІinic A"}
		results := make([]error, len(names))
		var group sync.WaitGroup
		for i, name := range names {
			group.Go(func() {
				_, results[i] = b.Create(t.Context(), b.Draft(postgrestest.Inputs(name)), postgrestest.LeaseRequest("w", time.Minute))
			})
		}
		group.Wait()
		created := 0
		for i, err := range results {
			if err == nil {
				created++
				continue
			}
			postgrestest.WantKind(t, err, errs.KindConflict)
			if fields := errs.FieldsOf(err); len(fields) == 0 || fields[0].Field != "name" {
				t.Errorf("%q: %v", names[i], err)
			}
		}
		if n := value[int](b, `SELECT count(*) FROM tenants WHERE status = 'PROVISIONING'`); created != 1 || n != 1 {
			t.Errorf("%d were created, and %d tenants are there", created, n)
		}
		b.Exec(`DELETE FROM tenants`)
	}
}

// TestDB_ConfusableNames_Retry: a FAILED tenant does not hold its name, so its retry is refused as
// well.
func TestDB_ConfusableNames_Retry(t *testing.T) {
	b := setup(t)
	failed := b.ClaimNew(postgrestest.Inputs(cyrillic))
	b.Exec(`UPDATE tenants SET status = 'FAILED', run_expires_at = NULL WHERE name = '` + cyrillic + `'`)
	first := b.ActiveTenant(postgrestest.Inputs("Clinic A"))
	_, err := b.Create(t.Context(), b.Draft(postgrestest.Inputs(cyrillic)), postgrestest.LeaseRequest("w", time.Minute))
	wantConfusable(t, err, first)
	c, err := b.Create(t.Context(), b.Draft(confusable(cyrillic)), postgrestest.LeaseRequest("w", time.Minute))
	if err != nil || c.Tenant.ID != failed.Tenant.ID {
		t.Errorf("%v, %v", c.Tenant.ID, err)
	}
}
