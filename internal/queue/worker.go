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
	"github.com/riverqueue/river/rivertype"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// worker runs the job of a tenant and translates the outcome for River.
type worker struct {
	river.WorkerDefaults[provisionArgs]
	runner Runner
	clock  *databaseClock
	log    *slog.Logger
	ended  func(JobEnd)
}

// Work runs one attempt.
func (w *worker) Work(ctx context.Context, job *river.Job[provisionArgs]) error {
	if job.Args.TenantID == uuid.Nil {
		return errors.New("the job names no tenant; it was not written by this program")
	}
	ctx, span := startJobSpan(ctx, job.JobRow, job.Args.Traceparent, job.Args.TenantID)
	caller := audit.CallerOf(ctx)
	caller.RequestID = "job " + strconv.FormatInt(job.ID, 10)
	ctx = audit.WithCaller(ctx, caller)
	err := func() (err error) {
		defer recoverPanic(ctx, w.log, job.ID, job.Args.TenantID, &err)
		_, err = w.runner.Run(ctx, job.Args.TenantID, provisioning.RunOptions{
			Mode: provisioning.ClaimResume, Retryable: job.Attempt < job.MaxAttempts,
		})
		return err
	}()
	span.End(provisioning.UnlessPostponed(err))
	result := toRiverError(ctx, err, w.clock.Now())
	w.ended(JobEnd{monitoring.KindProvision, jobOutcome(result, job.Attempt, job.MaxAttempts)})
	if err != nil {
		w.log.LogAttrs(ctx, logLevel(err), "provisioning attempt ended early",
			slog.Int64("job_id", job.ID), slog.String("tenant_id", job.Args.TenantID.String()),
			slog.Int("attempt", job.Attempt), slog.Int("max_attempts", job.MaxAttempts),
			slog.String("kind", string(errs.KindOf(err))), slog.Any("error", err))
	}
	return result
}

// startJobSpan begins the span of an attempt of a job, in the trace of the request that queued it. A
// traceparent that is not valid is ignored: a server's database user can write jobs.
func startJobSpan(ctx context.Context, job *rivertype.JobRow, traceparent string, tenantID uuid.UUID) (context.Context, tracing.Span) {
	return tracing.ContinueStored(ctx, traceparent, tracing.Job, "job "+job.Kind, tracing.TenantID(tenantID.String()),
		tracing.JobID(strconv.FormatInt(job.ID, 10)), tracing.Queue(job.Queue), tracing.JobAttempt(job.Attempt))
}

// recoverPanic turns a panic into a transient error. River would store its text and stack,
// which users can see.
func recoverPanic(ctx context.Context, log *slog.Logger, job int64, tenantID uuid.UUID, err *error) {
	if p := recover(); p != nil {
		log.ErrorContext(ctx, "job panicked", slog.Int64("job_id", job),
			slog.String("tenant_id", tenantID.String()), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		*err = errs.Wrap(fmt.Errorf("panic: %v", p), errs.KindTransient, "run job", "an internal error; the log has the cause")
	}
}

// logLevel returns the level for the end of an attempt: debug for ordinary ones.
func logLevel(err error) slog.Level {
	if provisioning.PostponedFor(err) > 0 {
		return slog.LevelDebug
	}
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
	case provisioning.PostponedFor(err) > 0:
		return river.JobSnooze(provisioning.PostponedFor(err)) // The request is sent again then.
	case kind == errs.KindConflict && e.Lease != nil:
		// Another run has the lease of the tenant, perhaps a dead one. This attempt has not
		// failed.
		return snooze(e.Lease.Until.Sub(now))
	case kind == errs.KindConflict:
		return nil // Nothing is left to do.
	case kind == errs.KindFenced:
		return snooze(provisioning.DefaultLeaseTTL)
	case kind == errs.KindCancelled && !errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return river.JobSnooze(0) // This process is stopping: any worker may take the job immediately.
	case kind == errs.KindTransient, kind == errs.KindCancelled:
		return safe
	default:
		return river.JobCancel(safe)
	}
}

// snooze postpones a job without using up an attempt. The delay is short enough not to need
// River's leader, which may be the process that died, and long enough that a clock that
// differs from the database's does not cause a busy loop.
func snooze(delay time.Duration) error {
	const margin = 100 * time.Millisecond
	return river.JobSnooze(min(max(delay, 0)+margin, riverSchedulerInterval-margin))
}
