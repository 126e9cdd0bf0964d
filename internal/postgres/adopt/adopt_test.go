package adopt_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const orgSQL = `CREATE TABLE users (id bigserial PRIMARY KEY, login text NOT NULL);
CREATE TYPE state AS ENUM ('new', 'old');
CREATE TABLE patients (id bigserial PRIMARY KEY, state state NOT NULL DEFAULT 'new');
CREATE VIEW fresh AS SELECT id FROM patients WHERE state = 'new';
`

// platform publishes a blueprint and makes a schema that has its tables.
func platform(b postgrestest.Fixture) {
	b.T.Helper()
	_, err := b.Blueprints.Publish(b.T.Context(), fstest.MapFS{
		"blueprint.yaml":          {Data: []byte("apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: org\nextends: none\n")},
		"migrations/0001_org.sql": {Data: []byte("-- +goose Up\n" + orgSQL)},
	}, true)
	b.Must(err)
	b.ExecScript(`CREATE SCHEMA "Org-1"; SET search_path = "Org-1"; ` + orgSQL + `INSERT INTO users (login) VALUES ('ada'); SET search_path = public`)
}

func adopt(b postgrestest.Fixture) (provisioning.Run, error) {
	in := postgrestest.Inputs("Organisation")
	in.Blueprint = "org"
	d := b.Draft(in)
	d.WithoutUsers = true
	return b.Adopt(b.T.Context(), d, provisioning.Adoption{Schema: "Org-1", Version: 1}, postgrestest.LeaseRequest("test", 0))
}

// TestAdopt_RollbackKeepsSchema: an adoption that fails leaves schema and rows, and can be repeated.
func TestAdopt_RollbackKeepsSchema(t *testing.T) {
	b := postgrestest.Setup(t)
	platform(b)
	run, err := adopt(b)
	b.Must(err)
	if run.Checkpoint != tenant.StepSeedRolesAndUser || run.Tenant.SchemaName != "Org-1" || !run.Tenant.Adopted {
		t.Errorf("%+v", run)
	}
	failed := b.FailTenant(run)
	if failed.Status != tenant.StatusFailed {
		t.Errorf("%+v", failed)
	}
	if n := postgrestest.Value[int](b, `SELECT count(*) FROM "Org-1".users`); n != 1 {
		t.Errorf("%d users after the rollback", n)
	}
	// The ordinary pipeline never makes a schema for it.
	again, err := b.Claim(t.Context(), failed.ID, provisioning.ClaimRetry, postgrestest.LeaseRequest("test", 0))
	b.Must(err)
	if err := b.PrepareSchema(t.Context(), again, b.Seed()); errs.KindOf(err) != errs.KindPermanent || !strings.Contains(errs.SafeMessage(err), "tenants adopt again") {
		t.Errorf("%v", err)
	}
	b.FailTenant(again)
	run, err = adopt(b)
	b.Must(err)
	active, err := b.Advance(t.Context(), run, postgrestest.Activation())
	b.Must(err)
	if found, err := b.Verify(t.Context(), active.ID); err != nil || len(found) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := adopt(b); !errors.Is(err, provisioning.ErrAdopted) || errs.KindOf(err) != errs.KindConflict || !strings.Contains(errs.SafeMessage(err), `the schema Org-1 is that of the tenant Organisation`) {
		t.Errorf("a second time: %v", err)
	}
	if owner := postgrestest.Value[string](b, `SELECT string_agg(DISTINCT relowner::regrole::text, ',') FROM pg_class WHERE relnamespace = '"Org-1"'::regnamespace`); !strings.HasPrefix(owner, "healthcare_schemas_") || strings.Contains(owner, ",") {
		t.Errorf("owners: %s", owner)
	}
	// Archive, back and purge work with a name that needs quotes.
	_, err = b.Archive(t.Context(), active.ID)
	b.Must(err)
	_, err = b.Unarchive(t.Context(), active.ID)
	b.Must(err)
	_, err = b.Archive(t.Context(), active.ID)
	b.Must(err)
	_, err = b.Purge(t.Context(), active.ID, 0)
	b.Must(err)
}

// TestAdopt_OtherTenant: the schema of a tenant that was never adopted is a conflict of another kind.
func TestAdopt_OtherTenant(t *testing.T) {
	b := postgrestest.Setup(t)
	platform(b)
	other := b.ActiveTenant(postgrestest.Inputs("Organisation"))
	d := b.Draft(postgrestest.Inputs("Other"))
	d.Blueprint, d.WithoutUsers = "org", true
	_, err := b.Adopt(t.Context(), d, provisioning.Adoption{Schema: other.SchemaName, Version: 1}, postgrestest.LeaseRequest("test", 0))
	if errs.KindOf(err) != errs.KindConflict || errors.Is(err, provisioning.ErrAdopted) || !strings.Contains(errs.SafeMessage(err), "is that of the tenant Organisation") {
		t.Errorf("%v", err)
	}
}

// TestAdopt_DifferentSchema: nothing is recorded or changed when the schema differs.
func TestAdopt_DifferentSchema(t *testing.T) {
	b := postgrestest.Setup(t)
	platform(b)
	b.Exec(`ALTER TABLE "Org-1".patients ALTER COLUMN state DROP DEFAULT`)
	before := postgrestest.Value[string](b, `SELECT string_agg(concat_ws(' ', relname, relowner, relacl), ';' ORDER BY relname) FROM pg_class WHERE relnamespace = '"Org-1"'::regnamespace`)
	_, err := adopt(b)
	if errs.KindOf(err) != errs.KindConflict || !strings.Contains(errs.SafeMessage(err), "the column patients.state differs") {
		t.Errorf("%v", err)
	}
	if after := postgrestest.Value[string](b, `SELECT string_agg(concat_ws(' ', relname, relowner, relacl), ';' ORDER BY relname) FROM pg_class WHERE relnamespace = '"Org-1"'::regnamespace`); after != before {
		t.Errorf("%s\n%s", before, after)
	}
	if n := postgrestest.Value[int](b, `SELECT count(*) FROM tenants`); n != 0 {
		t.Errorf("%d tenants", n)
	}
}

// TestAdopt_RenamedSchema: a function whose name has the digest of the schema's earlier name is an obstacle,
// which is named with the statement that removes it.
func TestAdopt_RenamedSchema(t *testing.T) {
	b := postgrestest.Setup(t)
	const sql = orgSQL + `DO $do$
DECLARE
    name text := 'upper_login_' || left(encode(sha256(convert_to(current_schema(), 'UTF8')), 'hex'), 8);
BEGIN
    EXECUTE 'CREATE FUNCTION ' || name || $function$() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.login := upper(NEW.login); RETURN NEW; END $$ $function$;
    EXECUTE 'CREATE TRIGGER upper_login BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION ' || name || '()';
END $do$;
`
	_, err := b.Blueprints.Publish(t.Context(), fstest.MapFS{
		"blueprint.yaml":          {Data: []byte("apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: org\nextends: none\n")},
		"migrations/0001_org.sql": {Data: []byte("-- +goose Up\n" + sql)},
	}, true)
	b.Must(err)
	b.ExecScript(`CREATE SCHEMA "Org-0"; SET search_path = "Org-0"; ` + sql + `SET search_path = public; ALTER SCHEMA "Org-0" RENAME TO "Org-1"`)
	before, after := "upper_login_"+blueprintsql.Digest("Org-0"), "upper_login_"+blueprintsql.Digest("Org-1")
	statement := `ALTER FUNCTION "Org-1"."` + before + `"() RENAME TO "` + after + `"`
	d, err := b.CompareSchema(t.Context(), "org", provisioning.Adoption{Schema: "Org-1", Version: 1})
	if err != nil || d.Equal() || !slices.Equal(d.Missing, []string{"function " + after + "()"}) || len(d.Changed) > 0 || !slices.Equal(d.Statements, []string{statement}) {
		t.Fatalf("%+v, %v", d, err)
	}
	_, err = adopt(b)
	if errs.KindOf(err) != errs.KindConflict || !strings.Contains(errs.SafeMessage(err), "it lacks the function "+after+"()") || !strings.HasSuffix(errs.SafeMessage(err), "A DBA has to run first: "+statement) {
		t.Errorf("%v", err)
	}
	b.Exec(statement)
	run, err := adopt(b)
	b.Must(err)
	active, err := b.Advance(t.Context(), run, postgrestest.Activation())
	b.Must(err)
	if found, err := b.Verify(t.Context(), active.ID); err != nil || len(found) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
	if owner := postgrestest.Value[string](b, `SELECT proowner::regrole::text FROM pg_proc WHERE proname = $1`, after); !strings.HasPrefix(owner, "healthcare_schemas_") {
		t.Errorf("the function belongs to %s", owner)
	}
}
