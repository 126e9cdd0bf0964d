package welcome

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// mailBackoff is an expression for the time until a mail is tried again, over the column that counts
// its tries: one minute, two, four and so on, at most six hours.
func mailBackoff(tries string) string {
	return `least(` + FirstMailBackoff + ` * 2 ^ (` + tries + ` - 1), ` + maxMailBackoff + `)`
}

// maxFailureMailTries limits the tries of a failure mail. The times between twelve add up to 20 hours.
const maxFailureMailTries = `12`

// ClaimDueFailureMails claims the failure mails that are due.
func (s *Mails) ClaimDueFailureMails(ctx context.Context, hold time.Duration, limit int) ([]provisioning.FailureMail, error) {
	const op = "claim failure mails"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `UPDATE tenants SET failure_email_due_at = clock_timestamp() + $1::interval, failure_email_tries = failure_email_tries + 1
		WHERE id IN (
			SELECT id FROM tenants WHERE `+tenantrow.GetsFailureMail+` AND failure_email_due_at <= clock_timestamp()
			ORDER BY failure_email_due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
		RETURNING `+tenantrow.Columns+`, failure_email_tries`, hold, limit)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	due, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (m provisioning.FailureMail, err error) {
		m.Tenant, err = tenantrow.ScanAnd(r, &m.Try)
		return m, err
	})
	return due, pgdb.Classify(err, op)
}

// EndFailureMail records that a failure mail is not sent again.
func (s *Mails) EndFailureMail(ctx context.Context, m provisioning.FailureMail) error {
	return s.setFailureMail(ctx, "end failure mail", m, `NULL`)
}

// RepeatFailureMail makes a failure mail due again.
func (s *Mails) RepeatFailureMail(ctx context.Context, m provisioning.FailureMail, atOnce bool) error {
	dueAt := `CASE WHEN failure_email_tries < ` + maxFailureMailTries + ` THEN clock_timestamp() + ` + mailBackoff("failure_email_tries") + ` END`
	if atOnce {
		dueAt = `clock_timestamp()`
	}
	return s.setFailureMail(ctx, "repeat failure mail", m, dueAt)
}

// setFailureMail sets when a failure mail is due, unless a later try has begun. It can be
// repeated, after a lost answer.
func (s *Mails) setFailureMail(ctx context.Context, op string, m provisioning.FailureMail, dueAt string) error {
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	tag, err := pool.Exec(ctx, `UPDATE tenants SET failure_email_due_at = `+dueAt+`
		WHERE id = $1 AND attempt = $2 AND failure_email_tries = $3 AND `+tenantrow.GetsFailureMail, m.Tenant.ID, m.Tenant.Attempt, m.Try)
	if err == nil && tag.RowsAffected() == 0 {
		return errs.Errorf(errs.KindConflict, op, "the failure mail is not this process's to send any more: the tenant was retried or aborted, or another process sends it")
	}
	return pgdb.Classify(err, op)
}
