// Package welcome stores invitations, and when the mails to administrators are due.
package welcome

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Mails records invitations and the outcome of mails to administrators.
type Mails struct{ db *pgdb.DB }

// New returns the mails of a database.
func New(db *pgdb.DB) *Mails { return &Mails{db} }

// CreateInvitation adds an invitation for the admin of an ACTIVE tenant, and claims its
// welcome mail.
func (s *Mails) CreateInvitation(ctx context.Context, id uuid.UUID, inv invitation.Invitation, hold time.Duration) (tenant.Tenant, provisioning.MailRef, error) {
	return s.create(ctx, id, inv, hold, func(pgx.Tx, tenantrow.Row) error { return nil })
}

// ResendInvitation does so for a mail that is due, unless another claim was made of it since.
func (s *Mails) ResendInvitation(ctx context.Context, due provisioning.DueMail, inv invitation.Invitation, hold time.Duration) (tenant.Tenant, provisioning.MailRef, error) {
	return s.create(ctx, due.Tenant, inv, hold, func(_ pgx.Tx, locked tenantrow.Row) error {
		if locked.MailClaim != due.Claim || locked.Tenant.WelcomeEmail != tenant.WelcomeEmailPending {
			return errs.Errorf(errs.KindConflict, "store invitation", "the welcome mail is not due any more: another invitation has replaced it, or was accepted")
		}
		return nil
	})
}

// RenewInvitation does so in place of an invitation that has expired.
func (s *Mails) RenewInvitation(ctx context.Context, hash [sha256.Size]byte, inv invitation.Invitation, hold time.Duration) (tenant.Tenant, provisioning.MailRef, error) {
	found, err := s.lookUp(ctx, hash)
	if err != nil {
		return tenant.Tenant{}, provisioning.MailRef{}, err
	}
	return s.create(ctx, found.Tenant.ID, inv, hold, func(tx pgx.Tx, _ tenantrow.Row) error {
		return end(ctx, tx, "renew invitation", hash, invitation.StatusExpired, "revoked_at")
	})
}

// create adds an invitation for a locked tenant, after check.
func (s *Mails) create(ctx context.Context, id uuid.UUID, inv invitation.Invitation, hold time.Duration, check func(pgx.Tx, tenantrow.Row) error) (tenant.Tenant, provisioning.MailRef, error) {
	var locked tenantrow.Row
	err := s.db.InTx(ctx, "store invitation", func(tx pgx.Tx) (err error) {
		if locked, err = tenantrow.Lock(ctx, tx, id); err != nil {
			return err
		}
		if err := check(tx, locked); err != nil {
			return err
		}
		switch {
		case !locked.Tenant.PurgedAt.IsZero():
			return locked.Tenant.PurgedError("store invitation")
		case locked.Tenant.Status != tenant.StatusActive:
			return errs.Errorf(errs.KindConflict, "store invitation",
				"the tenant is %s; a welcome mail can only be sent again to an ACTIVE tenant", locked.Tenant.Status)
		}
		if locked.Unanswered {
			if err := refuseWhileUnanswered(ctx, tx, id); err != nil {
				return err
			}
		}
		if locked.Tenant.WelcomeEmail == tenant.WelcomeEmailSent {
			if locked.MailSerial, err = RevokeInvitations(ctx, tx, id); err != nil {
				return err
			}
		}
		if !locked.Tenant.WithoutUsers {
			_, err = tx.Exec(ctx, `INSERT INTO tenant_invitations (token_hash, tenant_id, user_id, expires_at) VALUES ($1, $2, $3, $4)`,
				inv.Hash[:], id, locked.AdminUser, inv.ExpiresAt)
		}
		if err == nil {
			err = tx.QueryRow(ctx, `UPDATE tenants SET welcome_email = 'PENDING', welcome_email_claim = welcome_email_claim + 1, welcome_email_unanswered = false,
				welcome_email_due_at = clock_timestamp() + $2::interval,
				-- Earlier links of a mail that is tried again still work.
				invitation_expires_at = CASE WHEN NOT without_users THEN greatest($3::timestamptz, CASE WHEN `+tenantrow.OpenInvitation+` THEN invitation_expires_at END) END, invitation_sent_at = NULL,
				invitation_accepted_at = NULL, invitation_revoked_at = NULL, invitation_reminder_at = NULL, invitation_reminder_tries = 0
				WHERE id = $1 RETURNING welcome_email_claim`, id, hold, inv.ExpiresAt).Scan(&locked.MailClaim)
		}
		if err == nil {
			err = auditlog.Append(ctx, tx, id, audit.ActionInvite, nil)
		}
		return err
	})
	return locked.Tenant, provisioning.MailRef{Tenant: id, Attempt: locked.Tenant.Attempt, Serial: locked.MailSerial, Claim: locked.MailClaim}, err
}

// refuseWhileUnanswered returns ErrMailUnanswered while the mail server has the tenant's mail
// and may still answer: another mail would be a second copy.
func refuseWhileUnanswered(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	var held bool
	err := tx.QueryRow(ctx, `SELECT count(*) > 0 FROM tenants WHERE id = $1
		AND welcome_email = 'PENDING' AND welcome_email_unanswered AND welcome_email_due_at > clock_timestamp()`, id).Scan(&held)
	if err == nil && held {
		err = provisioning.ErrMailUnanswered
	}
	return err
}

// RevokeInvitations revokes the open invitations of an ACTIVE tenant, and returns the
// serial of the next welcome mail. It is for a mail that replaces one that was delivered.
// A retried mail has the Message-ID of the first try, so the link works in the copy that
// a mail server keeps. A PENDING mail is due at once, as the next mail: the conversation
// about the last one, if there is one, has a link that does not work any more.
func RevokeInvitations(ctx context.Context, tx pgx.Tx, id uuid.UUID) (serial int, err error) {
	if err = Revoke(ctx, tx, id); err == nil {
		err = tx.QueryRow(ctx, `UPDATE tenants SET welcome_email_serial = welcome_email_serial + 1, welcome_email_claim = welcome_email_claim + 1,
			welcome_email_unanswered = false, welcome_email_due_at = CASE WHEN welcome_email_due_at IS NOT NULL THEN clock_timestamp() END
			WHERE id = $1 RETURNING welcome_email_serial`, id).Scan(&serial)
	}
	return serial, err
}

// A welcome mail is retried after a temporary error: after one minute, two, four and so on,
// at most six hours apart, for about a day. Then it has failed.
const (
	FirstMailBackoff = `interval '1 minute'`
	maxMailBackoff   = `interval '6 hours'`
	maxMailAttempts  = `11`
)

// RecordWelcome records the outcome of a live tenant's welcome mail. The same outcome can be
// recorded again, after a lost answer.
func (s *Mails) RecordWelcome(ctx context.Context, id uuid.UUID, o provisioning.WelcomeOutcome) (tenant.Tenant, error) {
	const op = "record welcome mail"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return tenant.Tenant{}, err
	}
	args := pgx.StrictNamedArgs{"id": id, "status": o.Status, "hold": HoldArg(o.Hold), "unanswered": o.Unanswered, "claim": o.Claim}
	tenantrow.AddStepArgs(args, []tenant.StepRecord{o.Record})
	rows, err := pool.Query(ctx, `WITH moved AS (
			UPDATE tenants SET updated_at = now(), version = version + 1,
				invitation_sent_at = CASE WHEN @status::text = 'SENT' AND NOT without_users THEN now() ELSE invitation_sent_at END,
				welcome_email = CASE WHEN @status::text = 'PENDING' AND @hold::interval IS NULL AND welcome_email_failures >= `+maxMailAttempts+` THEN 'FAILED' ELSE @status::text END,
				welcome_email_due_at = CASE WHEN @status::text <> 'PENDING' OR status <> 'ACTIVE' THEN NULL
					WHEN @hold::interval IS NOT NULL THEN clock_timestamp() + @hold::interval
					WHEN welcome_email_failures < `+maxMailAttempts+` THEN now() + least(`+FirstMailBackoff+` * 2 ^ (welcome_email_failures + 1), `+maxMailBackoff+`) END,
				welcome_email_failures = CASE WHEN @status::text <> 'PENDING' THEN 0
					WHEN @hold::interval IS NOT NULL THEN welcome_email_failures ELSE welcome_email_failures + 1 END,
				welcome_email_unanswered = @unanswered::boolean OR welcome_email_unanswered AND @hold::interval IS NOT NULL
			WHERE id = @id AND (status IN ('ACTIVE', 'SUSPENDED') OR status = 'ARCHIVED' AND activated_at IS NOT NULL AND purged_at IS NULL)
				AND welcome_email_claim = @claim::integer AND welcome_email IN ('PENDING', @status::text) RETURNING *
		), logged AS (`+tenantrow.LogUpsertSQL+`
			FROM moved, `+tenantrow.StepsFrom+` ON CONFLICT ON CONSTRAINT provisioning_logs_unique DO UPDATE SET `+tenantrow.LogMergeSetItems+`
		) SELECT `+tenantrow.Columns+` FROM moved`, args)
	if err != nil {
		return tenant.Tenant{}, pgdb.Classify(err, op)
	}
	t, err := pgx.CollectExactlyOneRow(rows, tenantrow.Scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, errs.Errorf(errs.KindConflict, op, "the tenant is not live any more, or another invitation has replaced its welcome mail; read the tenant, and invite again if that is needed")
	}
	return t, pgdb.Classify(err, op)
}

// HoldArg is the argument for WelcomeOutcome.Hold: NULL for 0.
func HoldArg(hold time.Duration) *time.Duration {
	if hold == 0 {
		return nil
	}
	return &hold
}

// MarkUnanswered records whether the mail server may have a PENDING mail without having
// answered.
func (s *Mails) MarkUnanswered(ctx context.Context, m provisioning.MailRef, unanswered bool) error {
	const op = "record unanswered mail"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	tag, err := pool.Exec(ctx, `UPDATE tenants SET welcome_email_unanswered = $4 WHERE id = $1 AND attempt = $2 AND welcome_email_claim = $3
		AND welcome_email = 'PENDING' AND status IN ('PROVISIONING', 'ACTIVE')`, m.Tenant, m.Attempt, m.Claim, unanswered)
	if err == nil && tag.RowsAffected() == 0 {
		return errs.Errorf(errs.KindConflict, op, "the welcome mail is not to be sent any more: another invitation has replaced it, or the tenant is archived")
	}
	return pgdb.Classify(err, op)
}

// ClaimDueWelcomeMails claims welcome mails that are due.
func (s *Mails) ClaimDueWelcomeMails(ctx context.Context, claimTimeout time.Duration, limit int) ([]provisioning.DueMail, error) {
	const op = "claim due mail"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	// An unanswered one stays due: nothing is sent for it, and its record ends that.
	rows, err := pool.Query(ctx, `UPDATE tenants SET welcome_email_due_at = CASE WHEN welcome_email_unanswered THEN welcome_email_due_at
			ELSE clock_timestamp() + $1::interval END
		WHERE id IN (
			SELECT id FROM tenants WHERE welcome_email_due_at <= now() AND welcome_email = 'PENDING' AND status = 'ACTIVE'
			ORDER BY welcome_email_due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
		RETURNING id, welcome_email_claim, welcome_email_unanswered, coalesce(traceparent, '')`, claimTimeout, limit)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	due, err := pgx.CollectRows(rows, pgx.RowToStructByPos[provisioning.DueMail])
	return due, pgdb.Classify(err, op)
}

// ReleaseMail makes welcome mails due again.
func (s *Mails) ReleaseMail(ctx context.Context, tenants []uuid.UUID) error {
	const op = "release due mail"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `UPDATE tenants SET welcome_email_due_at = now()
		WHERE id = ANY($1) AND welcome_email_due_at IS NOT NULL AND welcome_email = 'PENDING' AND status = 'ACTIVE'`, tenants)
	return pgdb.Classify(err, op)
}
