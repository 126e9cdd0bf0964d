package stellarstore_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// suspended returns a tenant that was live and is SUSPENDED.
func (b fixture) suspended(in tenant.Inputs) tenant.Tenant {
	b.T.Helper()
	t := b.ActiveTenant(in)
	t, _, err := b.Suspend(b.T.Context(), t.ID)
	b.Must(err)
	if t.Status != tenant.StatusSuspended {
		b.T.Fatalf("%+v", t)
	}
	return t
}

func TestDB_SuspendedTenant(t *testing.T) {
	t.Parallel()

	t.Run("HoldsName", func(t *testing.T) {
		b := setup(t)
		archived := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		_, err := b.Archive(t.Context(), archived.ID)
		b.Must(err)
		suspended := b.suspended(postgrestest.Inputs("Clinic"))
		c, err := b.Create(t.Context(), b.Draft(postgrestest.Inputs("CLINIC")), postgrestest.LeaseRequest("x", time.Minute))
		if err != nil || c.Run != nil || c.Tenant.ID != suspended.ID {
			t.Errorf("%+v, %v", c, err)
		}
		if found, err := b.FindByName(t.Context(), "clinic"); err != nil || found.ID != suspended.ID {
			t.Errorf("%+v, %v", found, err)
		}
		_, err = b.Unarchive(t.Context(), archived.ID)
		postgrestest.WantKind(t, err, errs.KindConflict)
		if fields := errs.FieldsOf(err); len(fields) != 1 || fields[0].Field != "name" {
			t.Errorf("%+v", fields)
		}
	})

	t.Run("IsNeitherClaimedNorRolledBack", func(t *testing.T) {
		b := setup(t)
		id := b.suspended(postgrestest.Inputs("Clinic")).ID
		for _, mode := range []provisioning.ClaimMode{provisioning.ClaimResume, provisioning.ClaimRetry} {
			_, err := b.Claim(t.Context(), id, mode, postgrestest.LeaseRequest("x", time.Minute))
			postgrestest.WantKind(t, err, errs.KindConflict)
		}
		_, err := b.Abort(t.Context(), id, postgrestest.LeaseRequest("x", time.Minute))
		postgrestest.WantKind(t, err, errs.KindConflict)
	})

	t.Run("IsArchivedWithSchema", func(t *testing.T) {
		b := setup(t)
		suspended := b.suspended(postgrestest.Inputs("Clinic"))
		got, err := b.Archive(t.Context(), suspended.ID)
		if err != nil || got.Status != tenant.StatusArchived || got.ArchivedAt.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
		if n := value[int](b, `SELECT count(*) FROM pg_namespace WHERE nspname = $1`, suspended.SchemaName); n != 1 {
			t.Error("the schema is missing")
		}
	})

	t.Run("StoresPasswordOnlyInTenantTable", func(t *testing.T) {
		b := setup(t)
		suspended := b.suspended(postgrestest.Inputs("Clinic"))
		in := postgrestest.Inputs("Clinic")
		in.AdminPassword = "correct horse battery staple"
		if _, err := b.Update(t.Context(), suspended.ID, in, 0); err != nil {
			t.Fatal(err)
		}
		if n := value[int](b, `SELECT count(*) FROM tenants WHERE admin_password_hash IS NOT NULL`); n != 0 {
			t.Error("the registry has the hash")
		}
		if n := value[int](b, `SELECT count(*) FROM `+suspended.SchemaName+`.users WHERE password_hash LIKE '$argon2id$%'`); n != 1 {
			t.Error("the tenant's user has no hash")
		}
		if n := value[int](b, `SELECT count(*) FROM tenant_invitations WHERE revoked_at IS NULL`); n != 0 {
			t.Error("an earlier invitation can still set the password")
		}
	})

	t.Run("KeepsContractAndSchemaVersionManaged", func(t *testing.T) {
		b := setup(t)
		id := b.suspended(postgrestest.Inputs("Clinic")).ID
		if got := tenantIDs(b.claimContracts(contracts.ClaimQuery{})); !slices.Equal(got, []uuid.UUID{id}) {
			t.Errorf("contracts that are due: %v", got)
		}
		b.Exec(`DELETE FROM tenant_contracts`)
		if n, err := b.RegisterContracts(t.Context()); n != 1 || err != nil {
			t.Errorf("%d adopted, %v", n, err)
		}
		status, err := b.TenantVersions(t.Context())
		if err != nil || status.Versions[1] != 1 {
			t.Errorf("%+v, %v", status, err)
		}
	})

	t.Run("MustHaveBeenLive", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		_, err := b.Pool().Exec(t.Context(), `UPDATE tenants SET status = 'SUSPENDED', suspended_at = now() WHERE id = $1`, run.Tenant.ID)
		if err == nil || !strings.Contains(err.Error(), "tenants_live_complete") {
			t.Errorf("%v", err)
		}
	})
}

// TestDB_Log_OwnSteps: the log accepts steps of later releases after the first seven.
func TestDB_Log_OwnSteps(t *testing.T) {
	b := setup(t)
	id := b.ActiveTenant(postgrestest.Inputs("Clinic")).ID
	b.Exec(`INSERT INTO provisioning_logs (tenant_id, attempt, step, status) VALUES ($1, 1, 'ADD_LAB_TABLES', 'COMPLETED'), ($1, 1, 'CALL_BILLING', 'SKIPPED')`, id)
	entries, err := b.Log(t.Context(), id, false)
	b.Must(err)
	var got []tenant.Step
	for _, e := range entries {
		got = append(got, e.Step)
	}
	if want := append(tenant.Steps(), "ADD_LAB_TABLES", "CALL_BILLING"); !slices.Equal(got, want) {
		t.Errorf("steps %v, want %v", got, want)
	}
	if last := entries[len(entries)-1].Status; last != tenant.StepSkipped {
		t.Errorf("status %s", last)
	}
	for _, statement := range []string{
		`UPDATE provisioning_logs SET step = 'lower'`, `UPDATE provisioning_logs SET step = 'X'`, `UPDATE provisioning_logs SET status = 'LOST'`,
		`UPDATE tenants SET checkpoint = 'A B C'`, `UPDATE tenants SET status = 'GONE'`, `UPDATE tenants SET rollback_target = 'ACTIVE'`,
	} {
		if _, err := b.Pool().Exec(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "23514") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}
