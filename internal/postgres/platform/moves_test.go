package platform_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/platform"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestRestoredElsewhere restores dumps of a platform into a new server, in the ways that a
// DBA may choose.
func TestRestoredElsewhere(t *testing.T) {
	t.Parallel()
	from, to := testenv.DumpServers(t)
	for _, c := range []struct {
		name    string
		options []string
		checks  []platform.Check
	}{
		{"Default", nil, []platform.Check{platform.ConnectRoleMissing, platform.DatabaseOpen, platform.LoginMissing, platform.RoleMissing, platform.SchemaOwner, platform.SchemaOwnerMissing}},
		{"WithoutPrivileges", []string{"--no-privileges"}, []platform.Check{platform.ConnectRoleMissing, platform.DatabaseOpen, platform.LoginMissing, platform.RegistryFunctionOpen, platform.RoleMissing, platform.SchemaOwner, platform.SchemaOwnerMissing}},
		{"WithoutOwners", []string{"--no-owner"}, []platform.Check{platform.ConnectRoleMissing, platform.DatabaseOpen, platform.LoginMissing, platform.RegistryOwner, platform.RoleMissing, platform.SchemaOwner, platform.SchemaOwnerMissing}},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := strings.ToLower(c.name)
			ctx := t.Context()
			source := openServer(t, from, name)
			source.Must(testenv.Migrate(ctx, source.url()))
			source.fill()
			source.wantLogin(source.active.ID)
			source.wantChecks(source.check())
			restored := openServer(t, to, name)
			restored.active, restored.archived, restored.suspended, restored.unfinished = source.active, source.archived, source.suspended, source.unfinished
			if text := testenv.Restore(t, from, from.URL(name), to.URL(name), c.options...); text != "" && !strings.Contains(text, "does not exist") {
				t.Fatal(text)
			}
			if checks := restored.repairAll(); !slices.Equal(checks, c.checks) {
				t.Errorf("checks %q, want %q", checks, c.checks)
			}
			restored.wantSound()
			if n := postgrestest.Value[int](restored.Fixture, `SELECT count(*) FROM audit_events WHERE tenant_id = $1 AND action = 'credential.close'`, source.active.ID); n == 0 {
				t.Error("no event says that the login of the old server ended")
			}
			source.wantSound()
		})
	}
}

// openServer opens a new database of a server as its owner.
func openServer(t *testing.T, server *pgserver.Server, name string) fixture {
	t.Helper()
	if err := server.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return fixture{Fixture: postgrestest.Open(t, pgdb.Options{URL: server.OwnerURL(name)}), owner: pgserver.Owner, superuser: server.URL(name)}
}

// TestRotatedOwner hands a platform over to another role.
func TestRotatedOwner(t *testing.T) {
	t.Parallel()
	handOver := func(t *testing.T, statements string) (fixture, fixture) {
		b := setup(t)
		b.wantLogin(b.active.ID)
		database := testenv.WithLogin(t, b.superuser, "x", "x")
		next := fixture{owner: newOwner(t, database, ""), superuser: b.superuser}
		next.Fixture = postgrestest.Open(t, pgdb.Options{URL: testenv.WithLogin(t, database, next.owner, "s3cret")})
		next.active, next.archived, next.suspended, next.unfinished = b.active, b.archived, b.suspended, b.unfinished
		next.asSuperuser(strings.NewReplacer("{{old}}", b.owner, "{{new}}", next.owner).Replace(statements))
		return b, next
	}
	t.Run("DatabaseAlone", func(t *testing.T) {
		_, next := handOver(t, `SELECT`)
		want := []platform.Check{platform.RegistryOwner, platform.SchemaOwnerMember}
		if next.version() >= 16 {
			want = append([]platform.Check{platform.ConnectRoleAdmin, platform.LoginAdmin}, platform.RegistryOwner, platform.RoleAdmin, platform.SchemaOwnerMember)
		}
		if checks := next.repairAll(); !slices.Equal(checks, want) {
			t.Errorf("checks %q, want %q", checks, want)
		}
		next.wantSound()
	})
	t.Run("AllObjects", func(t *testing.T) {
		_, next := handOver(t, `REASSIGN OWNED BY {{old}} TO {{new}}`)
		want := []platform.Check{platform.SchemaOwnerMember}
		if next.version() >= 16 {
			want = []platform.Check{platform.ConnectRoleAdmin, platform.LoginAdmin, platform.RoleAdmin, platform.SchemaOwnerMember}
		}
		if checks := next.repairAll(); !slices.Equal(checks, want) {
			t.Errorf("checks %q, want %q", checks, want)
		}
		next.wantSound()
	})
	t.Run("MemberOfOldOwner", func(t *testing.T) {
		_, next := handOver(t, `GRANT {{old}} TO {{new}}`)
		// The two functions that run as their owner have no privileges on the tables of a new owner's registry.
		next.wantChecks(next.check(), platform.RegistryOwner, platform.RegistryOwner)
		report, err := next.Platform.Repair(t.Context(), nil)
		next.Must(err)
		next.wantChecks(report.Remaining)
		next.wantSound()
	})
}

// TestConnectRevokedBeforehand: the user does not own the database, from which a DBA has
// taken CONNECT. PostgreSQL only warns that the connect role gets nothing.
func TestConnectRevokedBeforehand(t *testing.T) {
	t.Parallel()
	database := testenv.EmptyDatabase(t)
	b := open(t, database, newOwner(t, database, ""))
	names := strings.NewReplacer("{{database}}", b.Pool().Config().ConnConfig.Database, "{{owner}}", b.owner)
	b.asSuperuser(names.Replace(`ALTER DATABASE {{database}} OWNER TO CURRENT_USER; ALTER SCHEMA public OWNER TO {{owner}};
		REVOKE ALL ON DATABASE {{database}} FROM PUBLIC; GRANT CONNECT, CREATE ON DATABASE {{database}} TO {{owner}}`))
	err := testenv.Migrate(t.Context(), b.url())
	postgrestest.WantKind(t, err, errs.KindPermanent)
	_, statement, found := strings.Cut(errs.SafeMessage(err), "have its owner or a superuser run: ")
	if want := names.Replace(`GRANT CONNECT ON DATABASE {{database}} TO {{owner}} WITH GRANT OPTION`); !found || statement != want {
		t.Fatalf("%v, want the statement %s", err, want)
	}
	b.asSuperuser(statement)
	b.Must(testenv.Migrate(t.Context(), b.url()))
	b.fill()
	b.wantSound()
}

// TestTwoOwners: two platforms on one server, each with its own owner, have no findings about
// each other.
func TestTwoOwners(t *testing.T) {
	t.Parallel()
	var all [2]fixture
	for i := range all {
		database := testenv.EmptyDatabase(t)
		all[i] = open(t, database, newOwner(t, database, ""))
		all[i].Must(testenv.Migrate(t.Context(), all[i].url()))
		all[i].fill()
	}
	for _, b := range all {
		b.wantSound()
	}
}

// TestCopiedRegistry: a copy on the same server shares the roles, which check says and repair
// leaves to people.
func TestCopiedRegistry(t *testing.T) {
	b := setup(t)
	copied := testenv.Connect(t, testenv.OpenDatabase(t)).Config().Database
	b.asSuperuser(`GRANT CONNECT ON DATABASE ` + copied + ` TO ` + b.connectRole())
	found := b.check()
	b.wantChecks(found, platform.RegistryCopied)
	report, err := b.Platform.Repair(t.Context(), nil)
	b.Must(err)
	b.wantChecks(report.Remaining, platform.RegistryCopied)
}

// TestMissingLogin: a login whose role was dropped is ended, with an event, and others stay.
func TestMissingLogin(t *testing.T) {
	b := setup(t)
	lost, kept := b.wantLogin(b.active.ID), b.wantLogin(b.active.ID)
	b.Pool().Reset()
	b.asSuperuser(`DROP OWNED BY ` + lost.Username + `; DROP ROLE ` + lost.Username)
	found := b.check()
	b.wantChecks(found, platform.LoginMissing)
	if !strings.Contains(found[0].Object, lost.Username) {
		t.Errorf("%+v", found)
	}
	report, err := b.Platform.Repair(t.Context(), nil)
	b.Must(err)
	b.wantChecks(report.Remaining)
	if n := postgrestest.Value[int](b.Fixture, `SELECT count(*) FROM tenant_credentials`); n != 1 {
		t.Errorf("%d logins in the registry", n)
	}
	if _, err := b.connect(kept); err != nil {
		t.Error(err)
	}
	b.wantSound()
}

// TestRepair_Interrupted: a repair that is interrupted between two tenants keeps what it has
// done, and the next one does the rest.
func TestRepair_Interrupted(t *testing.T) {
	b := setup(t)
	b.asSuperuser(b.names().Replace(rolesDropped + `; GRANT CONNECT ON DATABASE {{database}} TO PUBLIC`))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	report, err := b.Platform.Repair(ctx, func(done, total int) {
		if total != 4 {
			t.Errorf("%d of %d", done, total)
		}
		cancel()
	})
	if !errors.Is(err, context.Canceled) && errs.KindOf(err) != errs.KindCancelled || len(report.Errors) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	left := len(b.check())
	if left+len(report.Repaired) != 5 || len(report.Repaired) < 2 || !slices.ContainsFunc(report.Repaired, func(f platform.Finding) bool { return f.Check == platform.DatabaseOpen }) {
		t.Errorf("%d were repaired, %d are left", len(report.Repaired), left)
	}
	if _, err := b.Platform.Repair(t.Context(), nil); err != nil {
		t.Error(err)
	}
	b.wantSound()
}

// TestRepair_Concurrent: several repairs at once, and a tenant that another transaction holds
// for a while.
func TestRepair_Concurrent(t *testing.T) {
	b := setup(t)
	b.asSuperuser(b.names().Replace(rolesDropped + `; REVOKE ALL ON DATABASE {{database}} FROM {{connect}}; DROP ROLE {{connect}}; GRANT CONNECT ON DATABASE {{database}} TO PUBLIC`))
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			report, err := b.Platform.Repair(t.Context(), nil)
			if err != nil || len(report.Errors) > 0 {
				t.Errorf("%+v, %v", report, err)
			}
		})
	}
	all.Wait()
	b.wantSound()
	if n := postgrestest.Value[int](b.Fixture, `SELECT count(*) FROM audit_events WHERE tenant_id = $1 AND action = 'tenant.repair'`, b.active.ID); n != 1 {
		t.Errorf("%d events of repairs", n)
	}
}

// TestRepair_TenantInUse: a tenant that is held fails with its reason, and others are
// repaired.
func TestRepair_TenantInUse(t *testing.T) {
	b := setup(t)
	b.asSuperuser(b.names().Replace(rolesDropped))
	tx, err := b.Pool().Begin(t.Context())
	b.Must(err)
	_, err = tx.Exec(t.Context(), `SELECT FROM tenants WHERE id = $1 FOR UPDATE`, b.active.ID)
	b.Must(err)
	report, err := b.Platform.Repair(t.Context(), nil)
	b.Must(err)
	if len(report.Errors) != 1 || report.Errors[0].TenantID != b.active.ID || errs.KindOf(report.Errors[0].Err) != errs.KindTransient {
		t.Errorf("%+v", report.Errors)
	}
	b.wantChecks(report.Remaining, platform.RoleMissing)
	b.Must(tx.Rollback(t.Context()))
	_, err = b.Platform.Repair(t.Context(), nil)
	b.Must(err)
	b.wantSound()
}

// TestCheck_Pages: more tenants than a page has.
func TestCheck_Pages(t *testing.T) {
	b := setup(t)
	b.Exec(`INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name, activated_at, archived_at)
		SELECT gen_random_uuid(), 'T' || n, 't' || n, 'absent_' || 1700000000000 + n, 'ARCHIVED', 'a@b.example', 'A', 'B', now(), now() FROM generate_series(1, 600) n`)
	calls, last := 0, 0
	found, err := b.Platform.Check(t.Context(), func(done, total int) {
		calls++
		if done < last || done > total {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last = done
	})
	b.Must(err)
	findings := found.Findings
	b.wantChecks(findings, repeat(platform.SchemaMissing, 600)...)
	ids := map[uuid.UUID]bool{}
	for _, f := range findings {
		ids[f.TenantID] = true
	}
	if calls != 3 || len(ids) != 600 {
		t.Errorf("%d pages, %d tenants", calls, len(ids))
	}
}

// TestRegistryObjects: check knows each object that the migrations make in schema public. As
// all of them belong to another role, each has a finding.
func TestRegistryObjects(t *testing.T) {
	b := setup(t)
	made := postgrestest.Value[int](b.Fixture, `SELECT (SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND c.relkind = 'S'))
		+ (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)`)
	other := newOwner(t, testenv.OpenDatabase(t), "")
	b.asSuperuser(`REASSIGN OWNED BY ` + b.owner + ` TO ` + other + `; ALTER DATABASE ` + b.Pool().Config().ConnConfig.Database + ` OWNER TO ` + b.owner + `; ALTER SCHEMA public OWNER TO ` + b.owner)
	b.wantChecks(b.check(), repeat(platform.RegistryOwner, made)...)
	if checks := b.repairAll(); !slices.Equal(checks, []platform.Check{platform.RegistryOwner}) {
		t.Errorf("checks %q", checks)
	}
	b.wantSound()
}

// TestForeignObjects: an object that another role made in schema public gets no statement, with
// which that role's code would run as the registry's owner.
func TestForeignObjects(t *testing.T) {
	b := setup(t)
	other := newOwner(t, testenv.OpenDatabase(t), "")
	b.asSuperuser(b.names().Replace(`GRANT CREATE ON SCHEMA public TO ` + other + `; GRANT USAGE, CREATE ON SCHEMA {{active}} TO ` + other + `; SET ROLE ` + other + `;
		CREATE FUNCTION public.river_x() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'SELECT';
		CREATE FUNCTION public.tenant_count(integer) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'SELECT';
		CREATE FUNCTION public.revoke_defaults(name, text[]) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'SELECT';
		CREATE VIEW public.river_view AS SELECT 1; CREATE TABLE public.river_table (id int); RESET ROLE;
		REVOKE CREATE ON SCHEMA public FROM ` + other + `; REVOKE ALL ON SCHEMA {{active}} FROM ` + other))
	b.wantChecks(b.check())

	// What the registry did have, and the other role made again.
	b.asSuperuser(b.names().Replace(`ALTER TABLE api_keys OWNER TO ` + other + `; ALTER TABLE {{active}}.users OWNER TO ` + other + `; ALTER FUNCTION tenant_count() OWNER TO ` + other))
	found := b.check()
	b.wantChecks(found, platform.RegistryOwner, platform.RegistryOwner, platform.SchemaOwner)
	for _, f := range found {
		if len(f.Statements) > 0 || f.Repairable || !strings.Contains(f.Message, "compare the object with one of a registry that this release made") {
			t.Errorf("%+v", f)
		}
	}
}

// TestCheck_Incomplete: what keeps a check from reading the tenants is a finding, and the result
// says that they were not checked.
func TestCheck_Incomplete(t *testing.T) {
	b := setup(t)
	b.asSuperuser(b.names().Replace(rolesDropped + `; REVOKE SELECT ON tenants FROM {{owner}}`))
	found, err := b.Platform.Check(t.Context(), nil)
	b.Must(err)
	b.wantChecks(found.Findings, platform.RegistryPrivileges)
	if !found.TenantsUnchecked {
		t.Errorf("%+v", found)
	}
	report, err := b.Platform.Repair(t.Context(), nil)
	b.Must(err)
	b.wantChecks(report.Repaired, platform.RegistryPrivileges)
	b.wantChecks(report.Remaining, repeat(platform.RoleMissing, 4)...)
	if report.TenantsUnchecked {
		t.Errorf("%+v", report)
	}
	_, err = b.Platform.Repair(t.Context(), nil)
	b.Must(err)
	b.wantSound()
}
