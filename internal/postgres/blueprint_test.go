package postgres_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

// TestDB_TenantBlueprint: the blueprint of a tenant never changes.
func TestDB_TenantBlueprint(t *testing.T) {
	t.Parallel()

	t.Run("DoesNotContinueWithAnotherBlueprint", func(t *testing.T) {
		b := setup(t)
		in := postgrestest.Inputs("Clinic")
		in.Variables = map[string]string{"region": "eu"}
		first := b.ClaimNew(in)
		b.Must(b.Release(t.Context(), first))
		before, err := b.Get(t.Context(), first.Tenant.ID)
		b.Must(err)
		in.Blueprint = "clinic"
		_, err = b.Create(t.Context(), b.Draft(in), postgrestest.LeaseRequest("other", time.Minute))
		if fields := errs.FieldsOf(err); errs.KindOf(err) != errs.KindConflict || len(fields) != 1 || fields[0].Field != "blueprint" {
			t.Errorf("%v", err)
		}
		if got, err := b.Get(t.Context(), before.ID); err != nil || !reflect.DeepEqual(got, before) {
			t.Errorf("%+v, %v", got, err)
		}
		in.Blueprint, in.Variables = "standard", map[string]string{"region": "us"}
		again, err := b.Create(t.Context(), b.Draft(in), postgrestest.LeaseRequest("other", time.Minute))
		if err != nil || !again.Continued || again.Tenant.ID != before.ID || again.Tenant.Variables["region"] != "us" {
			t.Errorf("%+v, %v", again, err)
		}
	})

	t.Run("NeverChangesBlueprint", func(t *testing.T) {
		b := setup(t)
		in := postgrestest.Inputs("Clinic")
		in.Blueprint = "clinic"
		created := b.ClaimNew(in).Tenant
		in.Blueprint, in.Name = "", "Klinik"
		changed, err := b.Update(t.Context(), created.ID, in, 0)
		if err != nil || changed.Blueprint != "clinic" || changed.Name != "Klinik" {
			t.Errorf("without a blueprint: %+v, %v", changed, err)
		}
		in.Blueprint = "lab"
		_, err = b.Update(t.Context(), created.ID, in, 0)
		if fields := errs.FieldsOf(err); errs.KindOf(err) != errs.KindConflict || len(fields) != 1 || fields[0].Field != "blueprint" || !strings.Contains(fields[0].Message, `"lab"`) || !strings.Contains(fields[0].Message, `"clinic"`) {
			t.Errorf("another one: %v", err)
		}
	})
}
