// Package waiting finds what waits for a worker, and when one was seen.
package waiting

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
)

// Times of a report.
const (
	// dueFor is how long something must be due before it is reported: a worker does it in
	// seconds, and a run of Terraform does some of it itself.
	dueFor = 10 * time.Minute
	// missingAfter is how long no worker must have been seen. The queue's library reports a worker
	// at its start and every ten minutes.
	missingAfter = time.Hour
)

// Waiting reads the registry for what waits for a worker.
type Waiting struct{ db *pgdb.DB }

// New returns the reader of a database.
func New(db *pgdb.DB) *Waiting { return &Waiting{db} }

// Report counts what waits, while there is no worker. The zero value: nothing does.
type Report struct {
	Tenants   int64 // Runs and rollbacks that were interrupted, and tenants that are queued.
	Mails     int64 // Welcome mails.
	Reminders int64 // Of invitations.
	Failures  int64 // Failure mails.
	Logins    int64 // That have expired, and whose sessions go on.
}

// WaitingForWorker reports what has waited for some minutes for a worker, if none was seen for an
// hour. Any error of a registry that is not there yet, or of another version, is returned. reminder is how long before the end of an invitation its reminder is due; 0: there are none.
func (w *Waiting) WaitingForWorker(ctx context.Context, reminder time.Duration) (Report, error) {
	const op = "look for a worker"
	pool := w.db.Pool() // A look at the registry migrates nothing.
	var r Report
	err := pool.QueryRow(ctx, `SELECT
			(SELECT count(*) FROM tenants WHERE (status IN ('PENDING', 'PROVISIONING') OR rollback_target IS NOT NULL) AND updated_at < now() - $1::interval
				AND (job_id IS NOT NULL OR rollback_target IS NOT NULL) AND NOT `+tenantrow.LeaseHeld+`),
			(SELECT count(*) FROM tenants WHERE status = 'ACTIVE' AND welcome_email = 'PENDING' AND welcome_email_due_at < now() - $1::interval),
			(SELECT count(*) FROM tenants WHERE status = 'ACTIVE' AND `+tenantrow.OpenInvitation+` AND invitation_expires_at > now()
				AND invitation_expires_at < now() + $2::interval - $1::interval AND invitation_sent_at < invitation_expires_at - $2::interval
				AND (invitation_reminder_at IS NULL OR invitation_reminder_at < now() - $1::interval)),
			(SELECT count(*) FROM tenants WHERE `+tenantrow.GetsFailureMail+` AND failure_email_due_at < now() - $1::interval),
			(SELECT count(*) FROM tenant_credentials WHERE ended_at IS NULL AND coalesce(closed_at, expires_at) < now() - $1::interval)`,
		dueFor, reminder).Scan(&r.Tenants, &r.Mails, &r.Reminders, &r.Failures, &r.Logins)
	if err != nil || r == (Report{}) {
		return Report{}, pgdb.Classify(err, op)
	}
	var queue, seen bool // A registry that only Terraform has used has no tables of the queue.
	if err = pool.QueryRow(ctx, `SELECT to_regclass('public.river_queue') IS NOT NULL`).Scan(&queue); err == nil && queue {
		err = pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM river_queue WHERE updated_at > now() - $1::interval)`, missingAfter).Scan(&seen)
	}
	if err != nil || seen {
		return Report{}, pgdb.Classify(err, op)
	}
	return r, nil
}

// String lists what waits, as in "2 welcome mails and 1 reminder"; empty: nothing does.
func (r Report) String() string {
	var parts []string
	for _, part := range []struct {
		n         int64
		one, many string
	}{
		{r.Tenants, "unfinished tenant", "unfinished tenants"}, {r.Mails, "welcome mail", "welcome mails"},
		{r.Reminders, "reminder of an invitation", "reminders of invitations"}, {r.Failures, "failure mail", "failure mails"},
		{r.Logins, "expired login", "expired logins"},
	} {
		switch {
		case part.n == 1:
			parts = append(parts, "1 "+part.one)
		case part.n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.many))
		}
	}
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}
