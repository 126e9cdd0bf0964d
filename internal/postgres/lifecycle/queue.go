package lifecycle

import (
	"context"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Queue adds jobs of moves in a transaction of the registry.
type Queue interface {
	// EnqueueMove adds a job, and returns its id. If the tenant's last job of a move has
	// not ended, it adds none: it returns that job, or KindConflict if it is of another
	// move. 0: there is no last job.
	EnqueueMove(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID, r provisioning.MoveRequest, lastJob int64) (int64, error)
}

// UseQueue sets the queue of QueueMove. It must be called before it.
func (s *Lifecycle) UseQueue(q Queue) { s.queue = q }

// QueueMove queues a move, unless the tenant does not permit it. The lock of the tenant's
// row keeps two requests from queueing a move each.
func (s *Lifecycle) QueueMove(ctx context.Context, id uuid.UUID, r provisioning.MoveRequest) (provisioning.Submission, error) {
	op := string(r.Move) + " tenant"
	var submission provisioning.Submission
	if s.queue == nil {
		return submission, errs.Errorf(errs.KindPermanent, op, "no job queue is configured")
	}
	err := auditlog.New(s.db).RecordRefused(ctx, id, audit.Action("tenant."+string(r.Move)), s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := checkMove(ctx, tx, locked.Tenant, r); err != nil {
			return err
		}
		var last int64
		if err := tx.QueryRow(ctx, `SELECT coalesce(move_job_id, 0) FROM tenants WHERE id = $1`, id).Scan(&last); err != nil {
			return err
		}
		job, err := s.queue.EnqueueMove(ctx, tx, id, r, last)
		if err != nil {
			return err
		}
		submission = provisioning.Submission{Tenant: locked.Tenant, JobID: strconv.FormatInt(job, 10), Replayed: job == last}
		if job != last {
			_, err = tx.Exec(ctx, `UPDATE tenants SET move_job_id = $2 WHERE id = $1`, id, job)
		}
		return err
	}))
	return submission, err
}

// checkMove returns the error that a move would have with a locked tenant.
func checkMove(ctx context.Context, tx pgx.Tx, t tenant.Tenant, r provisioning.MoveRequest) error {
	switch r.Move {
	case provisioning.MoveArchive: // Each tenant can be archived.
	case provisioning.MoveUnarchive:
		return checkUnarchive(t)
	case provisioning.MoveSuspend:
		return checkSuspend(t)
	case provisioning.MoveResume:
		return checkResume(t)
	case provisioning.MovePurge:
		_, _, err := lockForPurge(ctx, tx, t.ID, r.Retention, false)
		return err
	case provisioning.MoveRepair:
		if !t.Status.Live() {
			return t.TransitionError("repair tenant", "repairing")
		}
	default:
		return errs.Errorf(errs.KindInvalid, "queue move", "the move %q is unknown", r.Move)
	}
	return nil
}
