package welcome

import (
	"context"
	"errors"
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

// DueReminder is a condition over a row of tenants: its invitation has a reminder, which is due.
// Parameter 1 is how long before the end of an invitation that is.
const DueReminder = remindedPredicate + ` AND invitation_expires_at <= clock_timestamp() + $1::interval
	AND invitation_sent_at < invitation_expires_at - $1::interval AND (invitation_reminder_at IS NULL OR invitation_reminder_at <= clock_timestamp())`

// ClaimDueReminders claims the reminders that are due.
func (s *Mails) ClaimDueReminders(ctx context.Context, lead, claimTimeout time.Duration, limit int) ([]provisioning.Reminder, error) {
	const op = "claim due reminders"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `UPDATE tenants SET invitation_reminder_at = clock_timestamp() + $2::interval, invitation_reminder_tries = invitation_reminder_tries + 1
		WHERE id IN (SELECT id FROM tenants WHERE `+DueReminder+` ORDER BY invitation_expires_at LIMIT $3 FOR UPDATE SKIP LOCKED)
		RETURNING `+tenantrow.Columns+`, welcome_email_serial, invitation_reminder_tries`, lead, claimTimeout, limit)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	due, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (d provisioning.Reminder, err error) {
		d.Tenant, err = tenantrow.ScanAnd(r, &d.Serial, &d.Try)
		d.ExpiresAt = d.Tenant.Invitation.ExpiresAt
		return d, err
	})
	return due, pgdb.Classify(err, op)
}

// thisReminder matches the tenant of a reminder while the try is its newest and the invitation can
// be accepted.
const thisReminder = `id = $1 AND invitation_expires_at = $2 AND invitation_reminder_tries = $3 AND ` + remindedPredicate

// AddReminder stores the token of a reminder.
func (s *Mails) AddReminder(ctx context.Context, r provisioning.Reminder, inv invitation.Invitation) error {
	return s.ofReminder(ctx, "store reminder", `WITH invited AS (
			SELECT id, admin_user_id FROM tenants WHERE `+thisReminder+` FOR UPDATE
		) INSERT INTO tenant_invitations (token_hash, tenant_id, user_id, expires_at) SELECT $4, id, admin_user_id, $2 FROM invited
		ON CONFLICT (token_hash) DO UPDATE SET expires_at = excluded.expires_at`, r, inv.Hash[:])
}

// EndReminder records that the reminder is not sent again.
func (s *Mails) EndReminder(ctx context.Context, r provisioning.Reminder) error {
	const op = "end reminder"
	return s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		var ended bool
		err := tx.QueryRow(ctx, `SELECT coalesce(invitation_reminder_at = 'infinity', false) FROM tenants WHERE `+thisReminder+` FOR UPDATE`,
			r.Tenant.ID, r.ExpiresAt, r.Try).Scan(&ended)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return reminderConflict(op)
		case err != nil, ended: // Before an answer that was lost.
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE tenants SET invitation_reminder_at = 'infinity' WHERE id = $1`, r.Tenant.ID); err != nil {
			return err
		}
		return auditlog.Append(ctx, tx, r.Tenant.ID, audit.ActionInvite, map[string]any{"reminder": true})
	})
}

// RepeatReminder makes the reminder due again, and deletes the token of this try.
func (s *Mails) RepeatReminder(ctx context.Context, r provisioning.Reminder, inv invitation.Invitation, atOnce bool) error {
	return s.ofReminder(ctx, "repeat reminder", `WITH unsent AS (DELETE FROM tenant_invitations WHERE token_hash = $4 AND used_at IS NULL)
		UPDATE tenants SET invitation_reminder_at = clock_timestamp() + CASE WHEN $5::boolean THEN interval '0' ELSE `+mailBackoff("invitation_reminder_tries")+` END
		WHERE `+thisReminder, r, inv.Hash[:], atOnce)
}

// ofReminder runs a statement for a reminder. KindConflict when it changes no row.
func (s *Mails) ofReminder(ctx context.Context, op, statement string, r provisioning.Reminder, more ...any) error {
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	tag, err := pool.Exec(ctx, statement, append([]any{r.Tenant.ID, r.ExpiresAt, r.Try}, more...)...)
	if err == nil && tag.RowsAffected() == 0 {
		return reminderConflict(op)
	}
	return pgdb.Classify(err, op)
}

func reminderConflict(op string) error {
	return errs.Errorf(errs.KindConflict, op, "the reminder is not to be sent any more: the invitation is not PENDING, or another process sends the reminder")
}
