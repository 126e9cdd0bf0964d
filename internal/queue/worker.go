package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// worker runs a job's tenant and translates the outcome for River.
type worker struct {
	river.WorkerDefaults[provisionArgs]
	runner Runner
	log    *slog.Logger
}

// Work makes one attempt.
func (w *worker) Work(ctx context.Context, job *river.Job[provisionArgs]) error {
	if job.Args.TenantID == uuid.Nil {
		return errors.New("the job names no tenant; it was not written by this program")
	}
	caller := audit.CallerOf(ctx)
	caller.RequestID = "job " + strconv.FormatInt(job.ID, 10)
	ctx = audit.WithCaller(ctx, caller)
	err := func() (err error) {
		defer w.recoverPanic(ctx, job, &err)
		_, err = w.runner.Run(ctx, job.Args.TenantID, provisioning.RunOptions{
			Mode: provisioning.ClaimResume, Retryable: job.Attempt < job.MaxAttempts,
		})
		return err
	}()
	result := toRiverError(ctx, err, time.Now())
	if err != nil {
		w.log.LogAttrs(ctx, logLevel(err), "provisioning attempt ended early",
			slog.Int64("job", job.ID), slog.String("tenant", job.Args.TenantID.String()),
			slog.Int("attempt", job.Attempt), slog.Int("maxAttempts", job.MaxAttempts),
			slog.String("kind", string(errs.KindOf(err))), slog.Any("error", err))
	}
	return result
}

// recoverPanic turns a panic into a transient error. River would store its text and
// stack where people see them.
func (w *worker) recoverPanic(ctx context.Context, job *river.Job[provisionArgs], err *error) {
	if p := recover(); p != nil {
		w.log.ErrorContext(ctx, "provisioning panicked", slog.Int64("job", job.ID),
			slog.String("tenant", job.Args.TenantID.String()), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		*err = errs.Wrap(fmt.Errorf("panic: %v", p), errs.KindTransient, "run job", "an internal error; the log has the cause")
	}
}

// logLevel is the loudness of an end: what is part of every day is for debugging.
func logLevel(err error) slog.Level {
	switch errs.KindOf(err) {
	case errs.KindConflict, errs.KindCancelled, errs.KindFenced:
		return slog.LevelDebug
	default:
		return slog.LevelWarn
	}
}

// toRiverError translates the outcome of an attempt for River. Only the safe message of an
// error is stored in River's table.
func toRiverError(ctx context.Context, err error, now time.Time) error {
	var e *errs.Error
	errors.As(err, &e)
	safe := errors.New(errs.SafeMessage(err))
	switch kind := errs.KindOf(err); {
	case err == nil:
		return nil
	case kind == errs.KindConflict && e.Lease != nil:
		// Another run holds the tenant, perhaps a dead one. That is no failed attempt.
		return snooze(e.Lease.Until.Sub(now))
	case kind == errs.KindConflict:
		return nil // At rest by now; there is nothing left to do.
	case kind == errs.KindFenced:
		return snooze(provisioning.DefaultLeaseTTL)
	case kind == errs.KindCancelled && !errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return river.JobSnooze(0) // This process stops: the job is anybody's at once.
	case kind == errs.KindTransient, kind == errs.KindCancelled:
		return safe
	default:
		return river.JobCancel(safe)
	}
}

// snooze puts a job off without using up an attempt: never for longer than
// River can do without its leader, which may be the very process that died, and
// never so shortly that a clock that differs from the database's makes it spin.
func snooze(delay time.Duration) error {
	const margin = 100 * time.Millisecond
	return river.JobSnooze(min(max(delay, 0)+margin, riverSchedulerInterval-margin))
}
