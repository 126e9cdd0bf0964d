package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func (b fixture) archivedTenant(in tenant.Inputs) tenant.Tenant {
	b.T.Helper()
	tn, err := b.Archive(b.T.Context(), b.ActiveTenant(in).ID)
	if err != nil {
		b.T.Fatal(err)
	}
	return tn
}

func TestDB_Unarchive(t *testing.T) {
	t.Parallel()
	t.Run("RestoresArchivedTenant", func(t *testing.T) {
		b := setup(t)
		archived := b.archivedTenant(postgrestest.Inputs("Clinic"))
		got, err := b.Unarchive(t.Context(), archived.ID)
		if err != nil || got.Status != tenant.StatusActive || !got.ArchivedAt.IsZero() || got.Version != archived.Version+1 {
			t.Errorf("%+v, %v", got, err)
		}
		again, err := b.Unarchive(t.Context(), archived.ID)
		if err != nil || again.Version != got.Version {
			t.Errorf("the second time: %+v, %v", again, err)
		}
	})
	t.Run("RejectsNameInUse", func(t *testing.T) {
		b := setup(t)
		archived := b.archivedTenant(postgrestest.Inputs("Clinic"))
		b.ActiveTenant(postgrestest.Inputs("clinic"))
		_, err := b.Unarchive(t.Context(), archived.ID)
		postgrestest.WantKind(t, err, errs.KindConflict)
		if fields := errs.FieldsOf(err); len(fields) != 1 || fields[0].Field != "name" {
			t.Errorf("%v", err)
		}
	})
	t.Run("RejectsNeverLiveTenant", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		_, err := b.Unarchive(t.Context(), run.Tenant.ID)
		postgrestest.WantKind(t, err, errs.KindConflict)
		run, err = b.Abort(t.Context(), run.Tenant.ID, postgrestest.LeaseRequest("x", time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.RollBack(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		_, err = b.Unarchive(t.Context(), run.Tenant.ID)
		postgrestest.WantKind(t, err, errs.KindConflict)
	})
	t.Run("ReportsMissingSchema", func(t *testing.T) {
		b := setup(t)
		archived := b.archivedTenant(postgrestest.Inputs("Clinic"))
		b.Exec(`DROP SCHEMA ` + archived.SchemaName + ` CASCADE`)
		_, err := b.Unarchive(t.Context(), archived.ID)
		postgrestest.WantKind(t, err, errs.KindPermanent)
		if got := value[string](b, `SELECT status::text FROM tenants`); got != "ARCHIVED" {
			t.Errorf("the tenant is %s", got)
		}
	})
}

func TestDB_Purge(t *testing.T) {
	t.Parallel()
	t.Run("DeletesDataAndReturnsCertificate", func(t *testing.T) {
		b := setup(t)
		archived := b.archivedTenant(postgrestest.Inputs("Clinic"))
		other := b.ActiveTenant(postgrestest.Inputs("Other"))
		b.Exec(`INSERT INTO ` + archived.SchemaName + `.audit_logs (action, entity_type) VALUES ('x', 'y'), ('x', 'z')`)
		head := value[string](b, `SELECT encode(hash, 'hex') FROM `+archived.SchemaName+`.audit_logs ORDER BY seq DESC LIMIT 1`)
		b.Exec(`GRANT SELECT ON tenant_counts TO ` + pgx.Identifier{archived.DatabaseRole}.Sanitize()) // A dependency that blocks DROP ROLE.

		c, err := b.Purge(t.Context(), archived.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		if c.Name != "Clinic" || c.Rows["users"] != 1 || c.Rows["roles"] != 3 || c.Rows["audit_logs"] != 2 || c.AuditHead != head ||
			c.By.Kind != audit.CallerProcess || c.PurgedAt.IsZero() || !c.ArchivedAt.Equal(archived.ArchivedAt) {
			t.Errorf("certificate %+v", c)
		}
		for what, query := range map[string]string{
			"schema":      `SELECT count(*) FROM pg_namespace WHERE nspname = '` + archived.SchemaName + `'`,
			"role":        `SELECT count(*) FROM pg_roles WHERE rolname = '` + archived.DatabaseRole + `'`,
			"invitations": `SELECT count(*) FROM tenant_invitations WHERE tenant_id = '` + archived.ID.String() + `'`,
		} {
			if n := value[int](b, query); n != 0 {
				t.Errorf("%d %s left", n, what)
			}
		}
		for what, query := range map[string]string{
			"row":          `SELECT count(*) FROM tenants WHERE purged_at IS NOT NULL`,
			"event":        `SELECT count(*) FROM audit_events WHERE action = 'tenant.purge'`,
			"other schema": `SELECT count(*) FROM pg_namespace WHERE nspname = '` + other.SchemaName + `'`,
			"other role":   `SELECT count(*) FROM pg_roles WHERE rolname = '` + other.DatabaseRole + `'`,
		} {
			if n := value[int](b, query); n != 1 {
				t.Errorf("%d %s", n, what)
			}
		}
		if n := value[int](b, `SELECT count(*) FROM provisioning_logs WHERE tenant_id = $1`, archived.ID); n != 7 {
			t.Errorf("%d rows of the log remain", n)
		}
		again, err := b.Purge(t.Context(), archived.ID, time.Hour)
		if err != nil || again.AuditHead != c.AuditHead || !again.PurgedAt.Equal(c.PurgedAt) {
			t.Errorf("the second time: %+v, %v", again, err)
		}
		_, err = b.Unarchive(t.Context(), archived.ID)
		postgrestest.WantKind(t, err, errs.KindConflict)
		if recreated := b.ActiveTenant(postgrestest.Inputs("Clinic")); recreated.ID == archived.ID {
			t.Error("the purged tenant was restored")
		}
	})
	t.Run("RejectsPurgeDuringRetention", func(t *testing.T) {
		b := setup(t)
		archived := b.archivedTenant(postgrestest.Inputs("Clinic"))
		_, err := b.Purge(t.Context(), archived.ID, time.Hour)
		postgrestest.WantKind(t, err, errs.KindConflict)
		if !strings.Contains(errs.SafeMessage(err), "are kept until") {
			t.Error(err)
		}
		b.Exec(`UPDATE tenants SET archived_at = now() - interval '61 minutes'`)
		if _, err := b.Purge(t.Context(), archived.ID, time.Hour); err != nil {
			t.Error(err)
		}
	})
	t.Run("RejectsLiveTenant", func(t *testing.T) {
		b := setup(t)
		active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		_, err := b.Purge(t.Context(), active.ID, 0)
		postgrestest.WantKind(t, err, errs.KindConflict)
		if n := value[int](b, `SELECT count(*) FROM pg_namespace WHERE nspname = $1`, active.SchemaName); n != 1 {
			t.Error("the schema is missing")
		}
	})
	t.Run("IsAllOrNothing", func(t *testing.T) {
		b := setup(t)
		archived := b.archivedTenant(postgrestest.Inputs("Clinic"))
		b.Exec(`DROP TABLE purge_certificates`)
		if _, err := b.Purge(t.Context(), archived.ID, 0); err == nil {
			t.Fatal("purged without a certificate")
		}
		if n := value[int](b, `SELECT count(*) FROM pg_namespace WHERE nspname = $1`, archived.SchemaName); n != 1 {
			t.Error("the schema is missing")
		}
	})
	t.Run("KeepsForeignSchemaOfNeverLiveTenant", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		run, err := b.Abort(t.Context(), run.Tenant.ID, postgrestest.LeaseRequest("x", time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.RollBack(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		b.Exec(`CREATE SCHEMA ` + run.Tenant.SchemaName) // Created by another program.
		c, err := b.Purge(t.Context(), run.Tenant.ID, 0)
		if err != nil || len(c.Rows) != 0 || value[int](b, `SELECT count(*) FROM pg_namespace WHERE nspname = $1`, run.Tenant.SchemaName) != 1 {
			t.Errorf("%+v, %v", c, err)
		}
	})
}
