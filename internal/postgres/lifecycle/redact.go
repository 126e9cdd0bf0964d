package lifecycle

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// redactEventsSQL deletes salt, caller and detail of the events of a tenant. The hashes that
// take their place keep the chain verifiable, and nobody can find the values by guessing.
const redactEventsSQL = `UPDATE audit_events SET salt = NULL, actor = NULL, detail = NULL,
		actor_hash = sha256(uuid_send(salt) || convert_to(actor::text, 'UTF8')),
		detail_hash = sha256(uuid_send(salt) || convert_to(detail::text, 'UTF8'))
	WHERE tenant_id = $1 AND salt IS NOT NULL`

// deletePersonalData deletes what the registry has of persons with a locked tenant, and what
// callers were free to write. Whatever adds such a column adds it here; a test reads every table.
func deletePersonalData(ctx context.Context, tx pgx.Tx, t tenant.Tenant, c *provisioning.PurgeCertificate) error {
	redacted, err := tx.Exec(ctx, redactEventsSQL, t.ID)
	if err != nil {
		return err
	}
	c.RedactedEvents, c.Kept = redacted.RowsAffected(), provisioning.KeptAfterPurge()
	statements := []string{
		`DELETE FROM tenant_invitations WHERE tenant_id = $1`,
		`UPDATE provisioning_logs SET result = NULL, error = NULL, trace_id = NULL WHERE tenant_id = $1`,
		`UPDATE tenant_steps SET error = NULL, outputs = NULL WHERE tenant_id = $1`,
		// The hash of the request goes with its row: it has no salt.
		`DELETE FROM idempotency_keys WHERE position($1::uuid::text IN response::text) > 0`,
		`UPDATE tenants SET admin_email = '', admin_first_name = '', admin_last_name = '', admin_user_id = NULL, metadata = '{}', variables = '{}', outputs = '{}',
			managed_by = NULL, locale = NULL, traceparent = NULL, provisioning_error = NULL, invitation_expires_at = NULL, invitation_sent_at = NULL,
			invitation_accepted_at = NULL, invitation_revoked_at = NULL, invitation_reminder_at = NULL, invitation_reminder_tries = 0, failure_email_due_at = NULL WHERE id = $1`,
	}
	var queue bool // A registry that only Terraform has used has no tables of the queue.
	if err := tx.QueryRow(ctx, `SELECT to_regclass('public.river_job') IS NOT NULL`).Scan(&queue); err != nil {
		return err
	}
	if queue {
		statements = append(statements,
			`DELETE FROM river_job WHERE args @> jsonb_build_object('tenant_id', $1::uuid) AND finalized_at IS NOT NULL`,
			// One that has not ended is perhaps the job of this purge.
			`UPDATE river_job SET errors = NULL WHERE args @> jsonb_build_object('tenant_id', $1::uuid) AND errors IS NOT NULL`)
	}
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement, t.ID); err != nil {
			return err
		}
	}
	return nil
}
