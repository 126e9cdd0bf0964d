package postgres_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

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
			claim, err := b.Claim(b.T.Context(), id, provisioning.ClaimResume, postgrestest.LeaseRequest("worker", time.Minute))
			if err != nil {
				return err
			}
			_, err = b.RollBack(b.T.Context(), claim)
			return err
		}},
		// All of these columns are needed by requests.
		"RollbackOfAnOrdinaryOne": {"status, checkpoint", "'PENDING', 'DEPLOY_SOROBAN_CONTRACT'", func(b fixture, id uuid.UUID) error {
			claim, err := b.Claim(b.T.Context(), id, provisioning.ClaimResume, postgrestest.LeaseRequest("worker", time.Minute))
			if err != nil {
				return err
			}
			b.FailTenant(claim)
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, b, login := newServerLogin(t)
			b.Exec(`CREATE SCHEMA billing`) // The platform's.
			b.Exec(`CREATE TABLE billing.invoices (id int)`)
			for _, schema := range []string{"billing", "public"} {
				id := uuid.New()
				_, err := login.Exec(t.Context(), `INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name)
					VALUES ($1, $2, $2, $2, 'PENDING', 'a@b.example', 'A', 'B')`, id, schema)
				b.Must(err)
				// What the login may not set, the owner does: the workers do not rely on the grants.
				if _, err := login.Exec(t.Context(), `UPDATE tenants SET (`+forge.columns+`) = ROW (`+forge.values+`) WHERE id = $1`, id); err != nil {
					t.Logf("the login may not: %v", err)
					b.Exec(`UPDATE tenants SET (`+forge.columns+`) = ROW (`+forge.values+`) WHERE id = $1`, id)
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
