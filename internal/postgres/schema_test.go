package postgres_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestDB_PrepareSchema(t *testing.T) {
	t.Parallel()

	t.Run("CreatesRolesAdminAndInvitation", func(t *testing.T) {
		b := setup(t)
		run, seed := b.ClaimNew(postgrestest.Inputs("St. Mary's")), b.Seed()
		if err := b.PrepareSchema(t.Context(), run, seed); err != nil {
			t.Fatal(err)
		}
		s := pgx.Identifier{run.Tenant.SchemaName}.Sanitize()
		names := value[[]string](b, `SELECT array_agg(name ORDER BY name) FROM `+s+`.roles`)
		if !slices.Equal(names, []string{"admin", "user", "viewer"}) {
			t.Errorf("roles %v", names)
		}
		admin := value[string](b, `SELECT concat_ws(' ', u.email, u.first_name, u.last_name, r.name, coalesce(password_hash, 'none'))
			FROM `+s+`.users u JOIN `+s+`.roles r ON r.id = u.role_id`)
		if admin != "ada@clinic.example Ada Lovelace admin none" {
			t.Errorf("admin %q", admin)
		}
		if n := value[int](b, `SELECT count(*) FROM tenant_invitations WHERE token_hash = $1 AND user_id = $2`,
			seed.Invitation.Hash[:], seed.AdminUser); n != 1 {
			t.Errorf("%d invitations", n)
		}
	})

	t.Run("LogsDurationOfEachStep", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		log, err := b.Log(t.Context(), run.Tenant.ID, false)
		if err != nil {
			t.Fatal(err)
		}
		if len(log) != 5 {
			t.Fatalf("%d rows, want 5: %+v", len(log), log)
		}
		for i, e := range log {
			if e.Step != tenant.Steps()[i] {
				t.Errorf("row %d is %s", i, e.Step)
			}
			if i < 4 && (e.Status != tenant.StepCompleted || e.Duration <= 0) {
				t.Errorf("%s is %s after %v", e.Step, e.Status, e.Duration)
			}
		}
		if log[4].Status != tenant.StepInProgress {
			t.Errorf("next step is %s", log[4].Status)
		}
	})

	t.Run("TenantRoleReachesOnlyItsSchema", func(t *testing.T) {
		b := setup(t)
		own, other := b.ActiveTenant(postgrestest.Inputs("Mine")), b.ActiveTenant(postgrestest.Inputs("Other"))
		role := pgx.Identifier{own.DatabaseRole}.Sanitize()
		superuser := testenv.Connect(t, testenv.SuperuserURL(t, b.Pool().Config().ConnString()))
		for statement, allowed := range map[string]bool{
			`SELECT count(*) FROM ` + own.SchemaName + `.users`:                                            true,
			`INSERT INTO ` + own.SchemaName + `.audit_logs (action, entity_type) VALUES ('login', 'user')`: true,
			`UPDATE ` + own.SchemaName + `.audit_logs SET action = 'x'`:                                    false,
			`DELETE FROM ` + own.SchemaName + `.audit_logs`:                                                false,
			`SELECT count(*) FROM ` + other.SchemaName + `.users`:                                          false,
			`SELECT count(*) FROM public.tenants`:                                                          false,
			`SELECT count(*) FROM public.tenant_invitations`:                                               false,
			`CREATE TABLE public.mischief (id int)`:                                                        false,
			`CREATE TABLE ` + own.SchemaName + `.mischief (id int)`:                                        false,
			`SELECT tenant_fence(null, 0, 'CREATE_SCHEMA', 'CREATE_SCHEMA', null, 0, 0)`:                   false,
		} {
			err := pgx.BeginFunc(t.Context(), superuser, func(tx pgx.Tx) error {
				if _, err := tx.Exec(t.Context(), `SET LOCAL ROLE `+role); err != nil {
					t.Fatal(err)
				}
				_, err := tx.Exec(t.Context(), statement)
				return err
			})
			if (err == nil) != allowed {
				t.Errorf("%s: allowed %v, want %v: %v", statement, err == nil, allowed, err)
			}
		}
		var excess bool
		if err := superuser.QueryRow(t.Context(), `SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolcanlogin OR rolpassword IS NOT NULL
			FROM pg_authid WHERE rolname = $1`, own.DatabaseRole).Scan(&excess); err != nil || excess {
			t.Errorf("the tenant's role has extra privileges: %v, %v", excess, err)
		}
	})

	t.Run("TenantRoleCannotConnect", func(t *testing.T) {
		t.Parallel()
		db, err := postgres.Open(t.Context(), pgdb.Options{URL: testenv.EmptyDatabase(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		b := fixture{postgrestest.Fixture{DB: db, T: t}}
		role := b.ActiveTenant(postgrestest.Inputs("Clinic")).DatabaseRole
		const connect = `SELECT has_database_privilege($1, current_database(), 'CONNECT')`
		if value[bool](b, connect, role) || !value[bool](b, connect, value[string](b, `SELECT connect_role::text FROM registry`)) {
			t.Error("CONNECT does not belong to the connect role alone")
		}
	})

	t.Run("RejectsSupersededRun", func(t *testing.T) {
		b := setup(t)
		old := b.ClaimNew(postgrestest.Inputs("Clinic"))
		b.Exec(`UPDATE tenants SET run_expires_at = now() - interval '1 second'`)
		if _, err := b.Claim(t.Context(), old.Tenant.ID, provisioning.ClaimResume, postgrestest.LeaseRequest("newer", time.Minute)); err != nil {
			t.Fatal(err)
		}
		postgrestest.WantKind(t, b.PrepareSchema(t.Context(), old, b.Seed()), errs.KindFenced)
		if n := value[int](b, `SELECT count(*) FROM pg_namespace WHERE nspname = $1`, old.Tenant.SchemaName); n != 0 {
			t.Error("the superseded run created a schema")
		}
	})

	t.Run("LeavesNothingWhenCancelled", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		postgrestest.WantKind(t, b.PrepareSchema(ctx, run, b.Seed()), errs.KindCancelled)
		if n := value[int](b, `SELECT count(*) FROM pg_roles WHERE rolname = $1`, run.Tenant.DatabaseRole); n != 0 {
			t.Error("a role still exists")
		}
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Errorf("again: %v", err)
		}
	})

	t.Run("AllowsConcurrentCalls", func(t *testing.T) {
		b := setup(t)
		var wg sync.WaitGroup
		for i := range 24 {
			run := b.ClaimNew(postgrestest.Inputs("Clinic " + string(rune('A'+i))))
			wg.Go(func() {
				if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := value[int](b, `SELECT count(*) FROM pg_namespace n JOIN tenants t ON t.schema_name = n.nspname`); n != 24 {
			t.Errorf("%d schemas", n)
		}
	})
}

func TestTenantSchema_ChainsAuditLog(t *testing.T) {
	b := setup(t)
	s := b.ActiveTenant(postgrestest.Inputs("Clinic")).SchemaName
	for _, action := range []string{"login", "read", "logout"} {
		b.Exec(`INSERT INTO `+s+`.audit_logs (action, entity_type, changes, seq, hash) VALUES ($1, 'session', '{"a": 1}', 99, 'forged')`, action)
	}
	if got := value[[]int64](b, `SELECT array_agg(seq ORDER BY seq) FROM `+s+`.audit_logs`); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("sequence %v", got)
	}
	if n := value[int](b, `SELECT count(*) FROM (SELECT prev_hash, lag(hash) OVER (ORDER BY seq) AS before FROM `+s+`.audit_logs) c
		WHERE prev_hash IS DISTINCT FROM before`); n != 0 {
		t.Errorf("%d rows do not link to the previous row", n)
	}
	// As a verifier computes it, only from integers and text.
	if n := value[int](b, `SELECT count(*) FROM `+s+`.audit_logs WHERE hash <> sha256(coalesce(prev_hash, '') || convert_to(jsonb_build_array(
		seq, id, user_id, action, entity_type, entity_id, changes, round(extract(epoch FROM created_at) * 1000000)::bigint)::text, 'UTF8'))`); n != 0 {
		t.Errorf("%d hashes do not cover their rows", n)
	}
	if n := value[int](b, `SELECT count(DISTINCT hash) FROM `+s+`.audit_logs`); n != 3 {
		t.Errorf("%d distinct hashes", n)
	}
}
