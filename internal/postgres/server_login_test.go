package postgres_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// newServerLogin is a registry as its owner has it, and a connection as the user that the
// guide has for servers without a worker.
func newServerLogin(t *testing.T) (*nologinOwner, fixture, *pgx.Conn) {
	t.Helper()
	o := newNologinOwner(t)
	b, jobs := o.open(o.login(`GRANT {{owner}} TO {{login}}`), o.owner)
	b.Must(b.Migrate(t.Context()))
	b.Must(jobs.Migrate(t.Context()))
	root, err := testenv.Root()
	b.Must(err)
	script, err := os.ReadFile(filepath.Join(root, "examples/guides/postgresql/server.sql"))
	b.Must(err)
	name := "server_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	for range 2 { // It can be repeated, as after an upgrade.
		b.ExecScript(strings.NewReplacer("platform_server", name, "from-your-secret-store", "s3cret").Replace(string(script)))
	}
	return o, b, testenv.Connect(t, testenv.WithLogin(t, o.database, name, "s3cret"))
}

// insertTenant is a statement that adds a tenant of the schema customer_app, and sets one more
// column.
func insertTenant(column, value string) string {
	return `INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name, ` + column + `)
		VALUES (gen_random_uuid(), 'Taken', 'taken', 'customer_app', 'PENDING', 'a@b.example', 'A', 'B', ` + value + `) RETURNING id`
}

// TestDB_ServerLogin: the login that the guide has for servers without a worker reads and adds,
// and can neither change the registry's tables nor reach a tenant's schema.
func TestDB_ServerLogin(t *testing.T) {
	t.Parallel()
	o, b, login := newServerLogin(t)
	schema := b.ActiveTenant(postgrestest.Inputs("Clinic")).SchemaName
	for _, statement := range []string{
		`SELECT FROM ` + schema + `.users`, `SELECT FROM ` + schema + `.audit_logs`, `CREATE TABLE ` + schema + `.made ()`, `DROP SCHEMA ` + schema + ` CASCADE`,
		`CREATE ROLE made`, `CREATE SCHEMA made`, `CREATE TABLE public.made ()`, `CREATE TEMPORARY TABLE made ()`, `SET ROLE ` + o.owner,
		`INSERT INTO tenants SELECT * FROM tenants`, insertTenant("activated_at", `now()`), insertTenant("archived_at", `'2000-01-01'`), insertTenant("checkpoint", `'SEED_ROLES_AND_USER'`),
		insertTenant("admin_user_id", `gen_random_uuid()`), insertTenant("rollback_target", `'FAILED'`), insertTenant("purged_at", `now()`), insertTenant("version", `2`),
		`UPDATE tenants SET archived_at = '2000-01-01'`, `UPDATE tenants SET rollback_target = 'FAILED'`, `INSERT INTO tenant_migrations VALUES (gen_random_uuid(), 'standard', 1, '')`,
		`ALTER TABLE tenants ADD made integer`, `DROP TABLE tenants`, `TRUNCATE tenants`, `DELETE FROM tenants`,
		`UPDATE tenants SET schema_name = 'public'`, `UPDATE tenants SET activated_at = now()`, `UPDATE tenants SET admin_user_id = NULL`,
		`UPDATE audit_events SET actor = '{}'`, `DELETE FROM audit_events`, `UPDATE api_keys SET scopes = '{admin}'`, `INSERT INTO api_keys SELECT * FROM api_keys`,
		`UPDATE tenant_credentials SET closed_at = NULL`, `DELETE FROM purge_certificates`, `DELETE FROM stellar_transactions`, `UPDATE registry SET id = id`,
		`INSERT INTO tenant_steps SELECT * FROM tenant_steps`, `UPDATE tenant_steps SET webhook_id = gen_random_uuid()`, `UPDATE tenant_steps SET revision = 1`, `DELETE FROM tenant_steps`,
		`UPDATE river_job SET state = 'available'`, `DELETE FROM river_job`, `SELECT tenant_fence(null, 0, '', '', null, 0, 0)`, `SELECT revoke_defaults('public', '{%}')`,
	} {
		if _, err := login.Exec(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	findings, err := b.Verify(t.Context(), uuid.Nil)
	b.Must(err)
	for _, f := range findings {
		t.Errorf("verify: %s", f.Message)
	}
}

// TestDB_ServerLoginNamesSchema: the user of a server records tenants, and so the names of
// their schemas. With the name of a schema that the registry did not make, nothing drops or
// changes it.
func TestDB_ServerLoginNamesSchema(t *testing.T) {
	t.Parallel()
	_, b, login := newServerLogin(t)
	b.ExecScript(`CREATE SCHEMA customer_app; CREATE TABLE customer_app.users (id uuid, email text, first_name text, last_name text, password_hash text, updated_at timestamptz);
		INSERT INTO customer_app.users VALUES (gen_random_uuid(), 'customer@b.example'); GRANT USAGE ON SCHEMA customer_app TO PUBLIC`)
	intact := func() {
		t.Helper()
		if n := value[int](b, `SELECT count(*) FROM customer_app.users WHERE email = 'customer@b.example'`); n != 1 {
			t.Fatal("the customer's record was changed")
		}
		if !value[bool](b, `SELECT has_schema_privilege('public', 'customer_app', 'USAGE')`) {
			t.Fatal("the customer's privileges were changed")
		}
	}
	add := func() (id uuid.UUID) {
		t.Helper()
		b.Must(login.QueryRow(t.Context(), insertTenant("managed_by", "NULL")).Scan(&id))
		_, err := login.Exec(t.Context(), `UPDATE tenants SET status = 'PROVISIONING', checkpoint = 'SEED_ROLES_AND_USER' WHERE id = $1`, id)
		b.Must(err)
		return id
	}

	aborted := add()
	run, err := b.Abort(t.Context(), aborted, postgrestest.LeaseRequest("worker", time.Minute))
	b.Must(err)
	_, err = b.RollBack(t.Context(), run)
	b.Must(err)
	intact()
	_, err = b.Purge(t.Context(), aborted, 0)
	b.Must(err)
	intact()
	b.Exec(`DELETE FROM tenants`)

	live := add()
	b.Exec(`UPDATE tenants SET status = 'ACTIVE', activated_at = now(), soroban_contract_id = 'C', admin_user_id = (SELECT id FROM customer_app.users) WHERE id = $1`, live)
	_, err = login.Exec(t.Context(), `SELECT tenant_update_admin($1, 'chosen')`, live)
	if err == nil || !strings.Contains(err.Error(), "HT002") {
		t.Errorf("tenant_update_admin: %v", err)
	}
	intact()
	_, _, err = b.Repair(t.Context(), live)
	postgrestest.WantKind(t, err, errs.KindPermanent)
	intact()
	// It is archived at once, and not with a time that the user chooses.
	if _, err = login.Exec(t.Context(), `UPDATE tenants SET status = 'ARCHIVED'`); err == nil || !strings.Contains(err.Error(), "tenants_archived_at") {
		t.Errorf("archived without a time: %v", err)
	}
	_, err = b.Archive(t.Context(), live)
	b.Must(err)
	_, err = b.Purge(t.Context(), live, 0)
	wantMessage(t, err, errs.KindPermanent, "tenant_migrations has no version of the schema customer_app, so it is not dropped; find out who made it: drop it if it is this tenant's, or rename it, and purge again")
	intact()
	if _, err = login.Exec(t.Context(), `UPDATE tenants SET status = 'FAILED'`); err != nil {
		t.Error(err)
	}
	if _, err = login.Exec(t.Context(), `UPDATE tenants SET status = 'ARCHIVED'`); err == nil || !strings.Contains(err.Error(), "tenants_archived_at") {
		t.Errorf("archived again without a time: %v", err)
	}
	if got, err := b.Get(t.Context(), live); err != nil || got.Status != tenant.StatusFailed {
		t.Errorf("%+v, %v", got, err)
	}
}
