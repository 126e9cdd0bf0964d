package welcome

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// remindedPredicate is true of a tenant whose administrator can be reminded of the invitation.
const remindedPredicate = `status = 'ACTIVE' AND ` + tenantrow.OpenInvitation + ` AND invitation_expires_at > clock_timestamp()`

// ClaimDueReminders claims the reminders that are due.
func (s *Mails) ClaimDueReminders(ctx context.Context, before, claimTimeout time.Duration, limit int) ([]provisioning.DueReminder, error) {
	const op = "claim due reminders"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `UPDATE tenants SET invitation_reminder_at = clock_timestamp() + $2::interval
		WHERE id IN (
			SELECT id FROM tenants WHERE `+remindedPredicate+` AND invitation_expires_at <= clock_timestamp() + $1::interval
				AND invitation_sent_at < invitation_expires_at - $1::interval
				AND (invitation_reminder_at IS NULL OR invitation_reminder_at <= clock_timestamp())
			ORDER BY invitation_expires_at LIMIT $3 FOR UPDATE SKIP LOCKED)
		RETURNING `+tenantrow.Columns+`, welcome_email_serial`, before, claimTimeout, limit)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	due, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (d provisioning.DueReminder, err error) {
		d.Tenant, err = tenantrow.ScanAnd(r, &d.Serial)
		d.ExpiresAt = d.Tenant.Invitation.ExpiresAt
		return d, err
	})
	return due, pgdb.Classify(err, op)
}

// AddReminder stores the second token of a PENDING invitation.
func (s *Mails) AddReminder(ctx context.Context, r provisioning.DueReminder, inv invitation.Invitation) error {
	const op = "store reminder"
	return s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `WITH invited AS (
				SELECT id, admin_user_id FROM tenants WHERE id = $1 AND invitation_expires_at = $2 AND `+remindedPredicate+` FOR UPDATE
			) INSERT INTO tenant_invitations (token_hash, tenant_id, user_id, expires_at) SELECT $3, id, admin_user_id, $2 FROM invited`,
			r.Tenant.ID, r.ExpiresAt, inv.Hash[:])
		if err == nil && tag.RowsAffected() == 0 {
			err = errs.Errorf(errs.KindConflict, op, "the invitation is not PENDING any more, or another one has replaced it")
		}
		if err == nil {
			err = auditlog.Append(ctx, tx, r.Tenant.ID, audit.ActionInvite, map[string]any{"reminder": true})
		}
		return err
	})
}

// RecordReminder ends the claim of a reminder.
func (s *Mails) RecordReminder(ctx context.Context, r provisioning.DueReminder, again time.Duration) error {
	const op = "record reminder"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	var pause *time.Duration
	if again >= 0 {
		pause = &again
	}
	_, err = pool.Exec(ctx, `UPDATE tenants SET invitation_reminder_at = coalesce(clock_timestamp() + $3::interval, 'infinity')
		WHERE id = $1 AND invitation_expires_at = $2`, r.Tenant.ID, r.ExpiresAt, pause)
	return pgdb.Classify(err, op)
}
