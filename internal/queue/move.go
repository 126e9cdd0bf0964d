package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// Mover runs the moves that a server without a worker queues; *app.Services is one.
type Mover interface {
	Suspend(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
	Resume(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	Archive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	Unarchive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	Purge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) (provisioning.PurgeCertificate, error)
	Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error)
	// Record stores that a move failed for good.
	Record(ctx context.Context, events ...audit.Event) error
}

// Moves have a queue of their own: they take seconds, and do not wait for provisionings,
// which can wait for a network.
const (
	moveQueueName    = "moves"
	moveWorkers      = 2
	movePollInterval = 500 * time.Millisecond
	// moveTimeout limits an attempt.
	moveTimeout = 2 * time.Minute
	// moveLost is how long an attempt counts as running: after that its worker is dead.
	moveLost = moveTimeout + shutdownGrace
	// recordTimeout limits the record of a failure.
	recordTimeout = 10 * time.Second
)

// moveArgs are the arguments of the job of a move.
type moveArgs struct {
	TenantID    uuid.UUID         `json:"tenant_id"`
	Move        provisioning.Move `json:"move"`
	Confirm     string            `json:"confirm,omitempty"`
	RetentionMs int64             `json:"retention_ms,omitempty"`
	Early       bool              `json:"early,omitempty"`       // A purge that skips the retention.
	Traceparent string            `json:"traceparent,omitempty"` // Of the request that queued it.
	Caller      audit.Caller      `json:"caller"`                // Who requested it: the author of the change.
}

const moveKind = "move_tenant"

// Kind is the name of this type of job in River's table.
func (moveArgs) Kind() string { return moveKind }

// InsertOpts are the same for every move. tenants.move_job_id names the job of a tenant.
func (moveArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: MaxAttempts, Queue: moveQueueName}
}

// EnqueueMove adds the job of a move in the caller's transaction, and returns its id. If the
// tenant's last job has not ended, it returns that one, or KindConflict if it is of another
// move. Other errors are the driver's.
func (q *Queue) EnqueueMove(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID, r provisioning.MoveRequest, lastJob int64) (int64, error) {
	var pending provisioning.Move
	err := tx.QueryRow(ctx, `SELECT coalesce(args->>'move', '') FROM river_job WHERE id = $1 AND finalized_at IS NULL`, lastJob).Scan(&pending)
	switch {
	case err == nil && pending == r.Move:
		return lastJob, nil
	case err == nil:
		return 0, errs.Errorf(errs.KindConflict, "queue move", "the job %d, to %s this tenant, has not ended yet; wait for it", lastJob, pending)
	case !errors.Is(err, pgx.ErrNoRows):
		return 0, fmt.Errorf("read job %d: %w", lastJob, err)
	}
	job, err := q.insert(ctx, tx, moveArgs{
		TenantID: tenantID, Move: r.Move, Confirm: r.Confirm, RetentionMs: max(r.Retention, 0).Milliseconds(), Early: r.Retention == provisioning.SkipRetention, Caller: audit.CallerOf(ctx), Traceparent: tracing.Stored(ctx),
	})
	if err != nil {
		return 0, fmt.Errorf("enqueue move of tenant %s: %w", tenantID, err)
	}
	return job, nil
}

// moveWorker runs the jobs of moves. Each move can be repeated, so an attempt that was
// interrupted is simply run again.
type moveWorker struct {
	river.WorkerDefaults[moveArgs]
	mover      Mover
	retention  time.Duration
	earlyPurge bool // Purges may skip the retention.
	clock      *databaseClock
	log        *slog.Logger
	ended      func(JobEnd)
}

// Timeout limits an attempt.
func (w *moveWorker) Timeout(*river.Job[moveArgs]) time.Duration { return moveTimeout }

// Work runs one attempt.
func (w *moveWorker) Work(ctx context.Context, job *river.Job[moveArgs]) (result error) {
	defer func() {
		w.ended(JobEnd{kindOfMove(job.Args.Move), jobOutcome(result, job.Attempt, job.MaxAttempts)})
	}()
	ctx, span := startJobSpan(ctx, job.JobRow, job.Args.Traceparent, job.Args.TenantID)
	ctx = audit.WithCaller(ctx, job.Args.Caller)
	err := func() (err error) {
		defer recoverPanic(ctx, w.log, job.ID, job.Args.TenantID, &err)
		return w.move(ctx, job.Args)
	}()
	span.End(err)
	if err == nil {
		return nil
	}
	w.log.LogAttrs(ctx, slog.LevelWarn, "move ended early",
		slog.Int64("job_id", job.ID), slog.String("tenant_id", job.Args.TenantID.String()), slog.String("move", string(job.Args.Move)),
		slog.Int("attempt", job.Attempt), slog.Int("max_attempts", job.MaxAttempts), slog.String("kind", string(errs.KindOf(err))), slog.Any("error", err))
	result = toRiverError(ctx, err, w.clock.Now())
	if result == nil { // A conflict: the tenant does not permit the move any more.
		result = river.JobCancel(errors.New(errs.SafeMessage(err)))
	}
	var (
		cancelled *river.JobCancelError
		snoozed   *river.JobSnoozeError
	)
	if errors.As(result, &cancelled) || !errors.As(result, &snoozed) && job.Attempt >= job.MaxAttempts {
		w.recordFailure(ctx, job, err)
	}
	return result
}

func (w *moveWorker) move(ctx context.Context, args moveArgs) (err error) {
	switch args.Move {
	case provisioning.MoveSuspend:
		err = w.suspend(ctx, args.TenantID)
	case provisioning.MoveResume:
		_, err = w.mover.Resume(ctx, args.TenantID)
	case provisioning.MoveArchive:
		_, err = w.mover.Archive(ctx, args.TenantID)
	case provisioning.MoveUnarchive:
		_, err = w.mover.Unarchive(ctx, args.TenantID)
	case provisioning.MovePurge:
		_, err = w.mover.Purge(ctx, args.TenantID, args.Confirm, w.purgeRetention(args))
	case provisioning.MoveRepair:
		_, _, err = w.mover.Repair(ctx, args.TenantID)
	default:
		return errs.Errorf(errs.KindPermanent, "run job", "the job has a move %q that this program does not know; use the newer release that wrote it", args.Move)
	}
	return err
}

// purgeRetention is how long the tenant of a purge must have been archived. What the job says is not
// trusted: a server's database user can write jobs.
func (w *moveWorker) purgeRetention(args moveArgs) time.Duration {
	if args.Early && w.earlyPurge {
		return provisioning.SkipRetention
	}
	return max(w.retention, time.Duration(args.RetentionMs)*time.Millisecond)
}

// suspend suspends a tenant. What others have to end is logged: the request has its answer.
func (w *moveWorker) suspend(ctx context.Context, id uuid.UUID) error {
	out, err := w.mover.Suspend(ctx, id)
	for _, warning := range out.Warnings {
		w.log.WarnContext(ctx, "the tenant is suspended, but "+warning, slog.String("tenant_id", id.String()))
	}
	return err
}

// recordFailure records in the tenant's audit chain that its move failed. A failure of that
// is only logged: the job has the error, too.
func (w *moveWorker) recordFailure(ctx context.Context, job *river.Job[moveArgs], failure error) {
	recordFailedMove(ctx, w.mover, w.log, job.ID, job.Args, errs.SafeMessage(failure))
}

func recordFailedMove(ctx context.Context, mover Mover, log *slog.Logger, job int64, args moveArgs, message string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	err := mover.Record(ctx, audit.Event{
		TenantID: args.TenantID, Action: audit.Action("tenant." + string(args.Move)), Outcome: audit.OutcomeRejected,
		Caller: args.Caller, Detail: map[string]any{"job": strconv.FormatInt(job, 10), "error": message},
	})
	if err != nil {
		log.WarnContext(ctx, "the failure of a move is not in the audit log", slog.Int64("job_id", job), slog.Any("error", err))
	}
}

// workerStopped is the error of an attempt whose worker died.
const workerStopped = "the worker stopped during the move"

// rescueMoves makes the jobs of moves available whose worker died, and ends those without
// attempts, which it records as failures. River would do so only after the longest time of a
// provisioning.
func (q *Queue) rescueMoves(ctx context.Context) error {
	rows, _ := q.pool.Query(ctx, `UPDATE river_job SET
			state = CASE WHEN attempt < max_attempts THEN 'available'::river_job_state ELSE 'discarded' END,
			scheduled_at = now(), finalized_at = CASE WHEN attempt < max_attempts THEN NULL ELSE now() END,
			errors = errors || jsonb_build_object('at', now(), 'attempt', attempt, 'error', $3::text, 'trace', '')
		WHERE kind = $1 AND state = 'running' AND `+heartbeatMissing("attempted_at")+`
		RETURNING id, args::text, state = 'discarded'`, moveKind, moveLost, workerStopped)
	type rescued struct {
		ID    int64
		Args  string
		Ended bool
	}
	jobs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[rescued])
	for _, job := range jobs {
		if !job.Ended || q.opts.Mover == nil {
			continue
		}
		var args moveArgs
		if err := json.Unmarshal([]byte(job.Args), &args); err != nil {
			q.log.WarnContext(ctx, "the arguments of a job cannot be read, so its failure is not in the audit log", slog.Int64("job_id", job.ID), slog.Any("error", err))
			continue
		}
		recordFailedMove(ctx, q.opts.Mover, q.log, job.ID, args, workerStopped)
	}
	return classify(err, "rescue moves")
}
