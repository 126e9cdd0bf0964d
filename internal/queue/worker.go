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

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// worker runs a job's tenant and translates the outcome for River.
type worker struct {
	river.WorkerDefaults[provision]
	runner Runner
	log    *slog.Logger
}

// Work makes one attempt.
func (w *worker) Work(ctx context.Context, job *river.Job[provision]) error {
	if job.Args.TenantID == uuid.Nil {
		return errors.New("the job names no tenant; it was not written by this program")
	}
	caller := provisioning.CallerOf(ctx)
	caller.RequestID = "job " + strconv.FormatInt(job.ID, 10)
	ctx = provisioning.WithCaller(ctx, caller)
	err := w.run(ctx, job)
	answer := verdict(ctx, err, time.Now())
	if err != nil {
		w.log.LogAttrs(ctx, level(err), "provisioning attempt ended early",
			slog.Int64("job", job.ID), slog.String("tenant", job.Args.TenantID.String()),
			slog.Int("attempt", job.Attempt), slog.Int("maxAttempts", job.MaxAttempts),
			slog.String("kind", string(provisioning.KindOf(err))), slog.Any("error", err))
	}
	return answer
}

// run keeps a panic from reaching River, which would store its text and stack
// where people see them.
func (w *worker) run(ctx context.Context, job *river.Job[provision]) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.log.ErrorContext(ctx, "provisioning panicked", slog.Int64("job", job.ID),
				slog.String("tenant", job.Args.TenantID.String()), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			err = provisioning.Wrap(fmt.Errorf("panic: %v", p), provisioning.KindTransient, "run job", "an internal error; the log has the cause")
		}
	}()
	_, err = w.runner.Run(ctx, job.Args.TenantID, provisioning.RunOptions{
		Mode: provisioning.ClaimResume, MoreRuns: job.Attempt < job.MaxAttempts,
	})
	return err
}

// level is the loudness of an end: what is part of every day is for debugging.
func level(err error) slog.Level {
	switch provisioning.KindOf(err) {
	case provisioning.KindConflict, provisioning.KindCancelled, provisioning.KindFenced:
		return slog.LevelDebug
	default:
		return slog.LevelWarn
	}
}

// verdict says what River shall do with a job after an attempt. Only what an
// error says to people gets into River's table.
func verdict(ctx context.Context, err error, now time.Time) error {
	var e *provisioning.Error
	errors.As(err, &e)
	safe := errors.New(provisioning.SafeMessage(err))
	switch kind := provisioning.KindOf(err); {
	case err == nil:
		return nil
	case kind == provisioning.KindConflict && e.Lease != nil:
		// Somebody has the tenant, perhaps a worker that died. That is no failed attempt.
		return lookAgain(e.Lease.Until.Sub(now))
	case kind == provisioning.KindConflict:
		return nil // At rest by now; there is nothing left to do.
	case kind == provisioning.KindFenced:
		return lookAgain(provisioning.DefaultLeaseTTL)
	case kind == provisioning.KindCancelled && !errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return river.JobSnooze(0) // This process stops: the job is anybody's at once.
	case kind == provisioning.KindTransient, kind == provisioning.KindCancelled:
		return safe
	default:
		return river.JobCancel(safe)
	}
}

// lookAgain puts a job off without using up an attempt: never for longer than
// River can do without its leader, which may be the very process that died, and
// never so shortly that a clock that differs from the database's makes it spin.
func lookAgain(after time.Duration) error {
	const margin = 100 * time.Millisecond
	return river.JobSnooze(min(max(after, 0)+margin, riverInterval-margin))
}
