package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// aborted returns a tenant that was archived before it was live.
func (b fixture) aborted(in tenant.Inputs) tenant.Tenant {
	b.T.Helper()
	run, err := b.Abort(b.T.Context(), b.ClaimNew(in).Tenant.ID, postgrestest.LeaseRequest("test", time.Minute))
	if err != nil {
		b.T.Fatal(err)
	}
	t, err := b.RollBack(b.T.Context(), run)
	if err != nil {
		b.T.Fatal(err)
	}
	return t
}

// numbered is a queue that assigns job IDs and runs no job.
type numbered struct{ last int64 }

func (q *numbered) Enqueue(context.Context, pgx.Tx, uuid.UUID) (int64, error) {
	q.last++
	return q.last, nil
}

// TestDB_Purge_FreesNames: a purged tenant, live before or not, holds neither its
// name nor its external ID, and cannot be restored.
func TestDB_Purge_FreesNames(t *testing.T) {
	t.Parallel()
	in := postgrestest.Inputs("Clinic")
	in.ExternalID = "erp-1"
	create := func(b fixture, in tenant.Inputs) (tenant.Tenant, bool, error) {
		c, err := b.Create(t.Context(), b.Draft(in), postgrestest.LeaseRequest("test", time.Minute))
		return c.Tenant, c.Continued, err
	}
	submit := func(b fixture, in tenant.Inputs) (tenant.Tenant, bool, error) {
		s, err := b.Submit(t.Context(), b.Draft(in), nil)
		return s.Tenant, s.Continued || s.Replayed, err
	}
	for end, begin := range map[string]func(fixture, tenant.Inputs) tenant.Tenant{
		"NeverLive": fixture.aborted, "WasLive": fixture.archivedTenant,
	} {
		for how, use := range map[string]func(fixture, tenant.Inputs) (tenant.Tenant, bool, error){
			"Create": create, "Submit": submit,
		} {
			t.Run(end+how, func(t *testing.T) {
				b := setup(t)
				b.Creations.UseQueue(&numbered{})
				old := begin(b, in)
				if _, err := b.Purge(t.Context(), old.ID, 0); err != nil {
					t.Fatal(err)
				}
				fresh, continued, err := use(b, in)
				if err != nil || continued || fresh.ID == old.ID || fresh.ExternalID != in.ExternalID {
					t.Fatalf("%+v, continued %v, %v", fresh, continued, err)
				}
				if got, err := b.FindByExternalID(t.Context(), in.ExternalID); err != nil || got.ID != fresh.ID {
					t.Errorf("the external ID belongs to %s, %v", got.ID, err)
				}
				if n := value[int](b, `SELECT count(*) FROM tenants WHERE id = $1 AND status = 'ARCHIVED' AND purged_at IS NOT NULL`, old.ID); n != 1 {
					t.Error("the purged tenant's row was changed")
				}
			})
		}
	}
	t.Run("IsFinal", func(t *testing.T) {
		b := setup(t)
		b.Creations.UseQueue(&numbered{})
		old := b.aborted(in)
		if _, err := b.Purge(t.Context(), old.ID, 0); err != nil {
			t.Fatal(err)
		}
		_, claimed := b.Claim(t.Context(), old.ID, provisioning.ClaimRetry, postgrestest.LeaseRequest("test", time.Minute))
		_, queued := b.Requeue(t.Context(), old.ID)
		for _, err := range []error{claimed, queued} {
			postgrestest.WantKind(t, err, errs.KindConflict)
			if !strings.Contains(errs.SafeMessage(err), "was purged") {
				t.Errorf("%v", err)
			}
		}
		if got, err := b.FindByExternalID(t.Context(), in.ExternalID); err != nil || got.ID != old.ID {
			t.Errorf("while no other tenant has its external ID: %+v, %v", got, err)
		}
	})
}

// TestDB_Requeue_Aborted: an ARCHIVED tenant that was never live can be retried.
func TestDB_Requeue_Aborted(t *testing.T) {
	b := setup(t)
	b.Creations.UseQueue(&numbered{})
	old := b.aborted(postgrestest.Inputs("Clinic"))
	s, err := b.Requeue(t.Context(), old.ID)
	if err != nil || s.Tenant.ID != old.ID || s.Tenant.Status != tenant.StatusProvisioning || s.Tenant.Attempt != 2 || !s.Tenant.ArchivedAt.IsZero() || s.JobID != "1" {
		t.Fatalf("%+v, %v", s, err)
	}
	archived := b.archivedTenant(postgrestest.Inputs("Other"))
	_, err = b.Requeue(t.Context(), archived.ID)
	postgrestest.WantKind(t, err, errs.KindConflict)
	taken := b.aborted(postgrestest.Inputs("Third"))
	b.ActiveTenant(postgrestest.Inputs("Third 2"))
	b.Exec(`UPDATE tenants SET name_key = $1 WHERE name = 'Third 2'`, tenant.NameKey("Third"))
	_, err = b.Requeue(t.Context(), taken.ID)
	postgrestest.WantKind(t, err, errs.KindConflict)
}
