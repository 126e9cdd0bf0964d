package postgres_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// serverLogin is a registry with a worker, and a session with the login of server.sql.
func serverLogin(t *testing.T) (worker fixture, login *pgx.Conn) {
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
	b.ExecScript(strings.NewReplacer("platform_server", name, "from-your-secret-store", "s3cret").Replace(string(script)))
	return b, testenv.Connect(t, testenv.WithLogin(t, o.database, name, "s3cret"))
}

// TestDB_ServerLoginCannotHaveAWorkerDropAnotherSchema: the login may insert tenants. One that
// it makes up, with the name of a schema that is none of the registry's tenants, must not let a
// worker drop that schema: neither the registry's own, public, nor another one of the platform.
func TestDB_ServerLoginCannotHaveAWorkerDropAnotherSchema(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]struct {
		columns string
		values  string
		act     func(b fixture, id uuid.UUID) error
	}{
		"PurgeOfOneThatWasLive": {"status, activated_at, archived_at, soroban_contract_id", "'ARCHIVED', now(), now(), '" + postgrestest.ContractID + "'", func(b fixture, id uuid.UUID) error {
			_, err := b.Purge(b.T.Context(), id, 0)
			return err
		}},
		"Rollback": {"status, checkpoint, rollback_target", "'PROVISIONING', 'DEPLOY_SOROBAN_CONTRACT', 'FAILED'", func(b fixture, id uuid.UUID) error {
			claim, err := b.Claim(b.T.Context(), id, provisioning.ClaimResume, postgrestest.LeaseRequest("worker", 60e9))
			if err != nil {
				return err
			}
			_, err = b.RollBack(b.T.Context(), claim)
			return err
		}},
		// All of these columns are needed by requests.
		"RollbackOfAnOrdinaryOne": {"status, checkpoint", "'PENDING', 'DEPLOY_SOROBAN_CONTRACT'", func(b fixture, id uuid.UUID) error {
			claim, err := b.Claim(b.T.Context(), id, provisioning.ClaimResume, postgrestest.LeaseRequest("worker", 60e9))
			if err != nil {
				return err
			}
			b.FailTenant(claim)
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, login := serverLogin(t)
			b.Exec(`CREATE SCHEMA billing`) // The platform's.
			b.Exec(`CREATE TABLE billing.invoices (id int)`)
			for _, schema := range []string{"billing", "public"} {
				id := uuid.New()
				_, err := login.Exec(t.Context(), `INSERT INTO tenants (id, name, name_key, schema_name, admin_email, admin_first_name, admin_last_name, `+forge.columns+`)
					VALUES ($1, $2, $2, $2, 'a@b.example', 'A', 'B', `+forge.values+`)`, id, schema)
				if err != nil {
					t.Logf("the insert is refused: %v", err)
					continue
				}
				t.Logf("the worker: %v", forge.act(b, id))
				var exists bool
				if err := testenv.Connect(t, b.Pool().Config().ConnString()).QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, schema).Scan(&exists); err != nil || !exists {
					t.Fatalf("a worker dropped the schema %s: %v", schema, err)
				}
			}
		})
	}
}
