package provisioning

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// OrphanStore finds orphans, due mail and expired rows. Many processes may call its methods
// at once: what one of them has claimed is not returned to another.
type OrphanStore interface {
	// FindOrphans finds unfinished tenants that no run holds. It queues a new job for those
	// whose job is lost and returns the others for the caller to finish.
	FindOrphans(ctx context.Context, q OrphanQuery) (Orphans, error)
	// ClaimDueWelcomeMails returns ACTIVE tenants whose welcome mail is due, and postpones them:
	// for that long no other process gets them.
	ClaimDueWelcomeMails(ctx context.Context, claimTimeout time.Duration, limit int) ([]DueMail, error)
	ReminderStore
	// ClaimDueFailureMails returns the failure mails that are due, each as its next try; for hold no
	// other process gets them.
	ClaimDueFailureMails(ctx context.Context, hold time.Duration, limit int) ([]FailureMail, error)
	// ReleaseMail makes claimed welcome mails that were not sent due again.
	ReleaseMail(ctx context.Context, tenants []uuid.UUID) error
	// DeleteExpired deletes unused invitations that expired that long ago, but not those of a
	// tenant whose invitation is EXPIRED, idempotency keys of that age, and sessions of the console
	// that have expired; at most limit of each.
	DeleteExpired(ctx context.Context, invitations, keys time.Duration, limit int) (DeletedRows, error)
	// DropExpiredLogins drops all expired logins, a batch at a time, and counts them.
	DropExpiredLogins(ctx context.Context, batch int) (int64, error)
}

// DueMail is a welcome mail that is due.
type DueMail struct {
	Tenant     uuid.UUID
	Claim      int  // See MailRef.
	Unanswered bool // The mail server may have it: its conversation ended without an answer.
	// Traceparent is that of Run.
	Traceparent string
}

// OrphanQuery says when a tenant is an orphan.
type OrphanQuery struct {
	HeartbeatTimeout time.Duration // After this time without a heartbeat, a worker counts as dead.
	AbandonAfter     time.Duration // After this time without one, a run in the foreground is not continued.
	Limit            int           // The maximum number of tenants per group.
}

// Orphans are unfinished tenants without a run, grouped by how they are handled.
type Orphans struct {
	Requeued    []uuid.UUID // Were queued again.
	Exhausted   []uuid.UUID // Their job has no attempts left.
	Interrupted []uuid.UUID // A rollback was interrupted.
	Abandoned   []uuid.UUID // A run in the foreground was interrupted.
}

// DeletedRows counts what was deleted.
type DeletedRows struct{ Invitations, Keys, Sessions int64 }

// ReconcilerOptions are the settings of a Reconciler. Zero values are the defaults.
type ReconcilerOptions struct {
	HeartbeatTimeout   time.Duration         // See OrphanQuery. Default: the pipeline's LeaseTTL.
	AbandonAfter       time.Duration         // See OrphanQuery. Default DefaultAbandonAfter.
	Batch              int                   // Maximum number of items of each kind in one pass. Default 50.
	MaxConcurrentMails int                   // Default 4.
	Contracts          *contracts.Reconciler // Nil: contract management is not configured.
	// ReminderLead is how long before the end of an unused invitation its reminder is sent. 0: none.
	ReminderLead    time.Duration
	CleanupInterval time.Duration // Pause after a pass that found nothing to delete. Default an hour.
}

// DefaultAbandonAfter is how long an interrupted run of Terraform can be continued.
const DefaultAbandonAfter = time.Hour

// invitationRetention is how long an invitation is kept after it expired, if another one has
// replaced it.
const invitationRetention = 7 * 24 * time.Hour

// Reconciler finishes what dead processes left unfinished: tenants and mails; it also
// deletes expired rows and logins. All state is in the registry, so many reconcilers may
// run at once. Passes may overlap: a pass skips a part that an earlier pass still runs (the
// mutexes are for that).
type Reconciler struct {
	orphans  OrphanStore
	service  *Service
	pipeline *Pipeline
	opts     ReconcilerOptions

	finishMu, mailMu, reminderMu, failureMailMu, cleanupMu, loginMu, contractMu sync.Mutex

	cleanupDueAt time.Time // Guarded by cleanupMu.
}

// NewReconciler makes a reconciler. KindInvalid when a part is nil.
func NewReconciler(orphans OrphanStore, service *Service, o ReconcilerOptions) (*Reconciler, error) {
	if orphans == nil || service == nil {
		return nil, errs.Errorf(errs.KindInvalid, "set up reconciler", "OrphanStore or Service is missing")
	}
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&o.HeartbeatTimeout, service.pipeline.opts.LeaseTTL)
	set(&o.AbandonAfter, DefaultAbandonAfter)
	set(&o.CleanupInterval, time.Hour)
	if o.Batch == 0 {
		o.Batch = 50
	}
	if o.MaxConcurrentMails == 0 {
		o.MaxConcurrentMails = 4
	}
	return &Reconciler{orphans: orphans, service: service, pipeline: service.pipeline, opts: o}, nil
}

// Report lists what one pass did.
type Report struct {
	Requeued            []uuid.UUID // Tenants that were queued again.
	RolledBack          []uuid.UUID // Tenants whose interrupted rollback was finished.
	Failed              []uuid.UUID // Tenants whose attempt was ended; they are FAILED.
	WelcomeMailsSent    []uuid.UUID // Tenants whose welcome mail was sent.
	WelcomeMailsPending []uuid.UUID // Tenants whose welcome mail failed again, or is on its way.
	// WelcomeMailsUnconfirmed are tenants whose welcome mail the mail server may have. It is not sent
	// again.
	WelcomeMailsUnconfirmed []uuid.UUID
	RemindersSent           []uuid.UUID // Tenants whose administrator was reminded of the invitation.
	FailureMailsSent        []uuid.UUID // FAILED tenants whose administrator was told so.
	DeletedRows
	Credentials int64 // Expired logins that were dropped.
	Contracts   contracts.Report
}

// Empty reports whether there was nothing to do.
func (r Report) Empty() bool {
	return len(r.Requeued)+len(r.RolledBack)+len(r.Failed)+len(r.WelcomeMailsSent)+len(r.WelcomeMailsPending)+len(r.WelcomeMailsUnconfirmed)+
		len(r.RemindersSent)+len(r.FailureMailsSent) == 0 && r.DeletedRows == DeletedRows{} && r.Credentials == 0 && r.Contracts.Empty()
}

// Pass does once what is due, at most a batch of each kind. The report is complete also
// when there is an error; the error joins all errors of the pass.
func (r *Reconciler) Pass(ctx context.Context) (Report, error) {
	var report Report
	// Slow parts come last: an unresponsive mail server can take minutes, and a ledger
	// takes seconds.
	var failures []error
	for _, part := range []struct {
		running *sync.Mutex
		do      func(context.Context, *Report) error
	}{
		{&r.finishMu, r.finishOrphans},
		{&r.cleanupMu, r.deleteExpired},
		{&r.loginMu, r.dropLogins},
		{&r.mailMu, r.sendDueMail},
		{&r.reminderMu, r.sendReminders},
		{&r.failureMailMu, r.sendFailureMails},
		{&r.contractMu, r.reconcileContracts},
	} {
		if part.running.TryLock() {
			failures = append(failures, part.do(ctx, &report))
			part.running.Unlock()
		}
	}
	return report, errors.Join(failures...)
}

// maxFinishTime ends a pass early: orphans that are left wait for the next. An own step whose undo
// hangs costs the timeout of one request, and its tenant then moves to the end, so that it does not
// delay others again.
const maxFinishTime = 10 * time.Second

// finishOrphans requeues, resumes or fails orphans.
func (r *Reconciler) finishOrphans(ctx context.Context, report *Report) error {
	found, err := r.orphans.FindOrphans(ctx, OrphanQuery{
		HeartbeatTimeout: r.opts.HeartbeatTimeout, AbandonAfter: r.opts.AbandonAfter, Limit: r.opts.Batch,
	})
	report.Requeued = found.Requeued
	failures := []error{err}
	record := func(id uuid.UUID, done *[]uuid.UUID, err error) {
		if err == nil {
			*done = append(*done, id)
		} else if !superseded(err) && PostponedFor(err) == 0 {
			failures = append(failures, fmt.Errorf("tenant %s: %w", id, err))
		}
	}
	began := r.pipeline.opts.Clock.Now()
	inTime := func() bool { return r.pipeline.opts.Clock.Now().Sub(began) < maxFinishTime }
	for _, id := range found.Interrupted {
		if inTime() {
			_, err := r.pipeline.Run(ctx, id, RunOptions{Mode: ClaimResume})
			record(id, &report.RolledBack, err)
		}
	}
	fail := func(ids []uuid.UUID, reason string) {
		for _, id := range ids {
			if inTime() {
				_, err := r.pipeline.FailTenant(ctx, id, reason)
				record(id, &report.Failed, err)
			}
		}
	}
	fail(found.Exhausted, "all attempts were interrupted; read the reasons in the log, then retry the tenant")
	fail(found.Abandoned, fmt.Sprintf("the run was interrupted and was not continued for %v; create the tenant again to continue it", r.opts.AbandonAfter))
	return errors.Join(failures...)
}

// superseded reports whether another process handles the tenant already.
func superseded(err error) bool {
	kind := errs.KindOf(err)
	return kind == errs.KindConflict || kind == errs.KindFenced || kind == errs.KindNotFound
}

func (r *Reconciler) deleteExpired(ctx context.Context, report *Report) error {
	now := r.pipeline.opts.Clock.Now()
	if now.Before(r.cleanupDueAt) {
		return nil
	}
	deleted, err := r.orphans.DeleteExpired(ctx, invitationRetention, IdempotencyTTL, 20*r.opts.Batch)
	if deleted == (DeletedRows{}) && err == nil {
		r.cleanupDueAt = now.Add(r.opts.CleanupInterval)
	}
	report.DeletedRows = deleted
	return err
}

func (r *Reconciler) dropLogins(ctx context.Context, report *Report) (err error) {
	report.Credentials, err = r.orphans.DropExpiredLogins(ctx, r.opts.Batch)
	return err
}

// reconcileContracts runs a pass of the contract reconciler, if one is configured.
func (r *Reconciler) reconcileContracts(ctx context.Context, report *Report) (err error) {
	if r.opts.Contracts == nil {
		return nil
	}
	report.Contracts, err = r.opts.Contracts.Pass(ctx)
	return err
}

// sendDueMail sends the welcome mails that are due. The registry records each outcome and
// the time of the next attempt. After a stop, unsent mails are released for other
// processes.
func (r *Reconciler) sendDueMail(ctx context.Context, report *Report) error {
	var due []DueMail
	err := r.pipeline.detached(ctx, func(ctx context.Context) (err error) {
		due, err = r.orphans.ClaimDueWelcomeMails(ctx, MailHold, r.opts.Batch)
		return err
	})
	if err != nil {
		return err
	}
	var (
		failures []error
		unsent   []uuid.UUID
		mu       sync.Mutex // Guards failures, unsent and report.
		group    errgroup.Group
	)
	group.SetLimit(r.opts.MaxConcurrentMails)
	for _, mail := range due {
		group.Go(func() error {
			id := mail.Tenant
			out, err := r.sendOrGiveUp(ctx, mail)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case superseded(err):
			case errs.KindOf(err) == errs.KindCancelled:
				unsent, failures = append(unsent, id), append(failures, err)
			case err != nil:
				failures = append(failures, fmt.Errorf("welcome mail of tenant %s: %w", id, err))
			case out.Tenant.WelcomeEmail == tenant.WelcomeEmailSent:
				report.WelcomeMailsSent = append(report.WelcomeMailsSent, id)
			case mail.Unanswered:
				report.WelcomeMailsUnconfirmed = append(report.WelcomeMailsUnconfirmed, id)
			default:
				report.WelcomeMailsPending = append(report.WelcomeMailsPending, id)
			}
			return nil // One tenant's error stops no other.
		})
	}
	_ = group.Wait()
	if len(unsent) > 0 {
		back, end := r.pipeline.withGrace(ctx)
		failures = append(failures, r.orphans.ReleaseMail(back, unsent))
		end(nil)
	}
	return errors.Join(failures...)
}

// sendOrGiveUp sends a welcome mail that is due, unless the mail server may have it: then it
// records that the mail was not confirmed.
func (r *Reconciler) sendOrGiveUp(ctx context.Context, mail DueMail) (Outcome, error) {
	if !mail.Unanswered {
		ctx, span := tracing.ContinueStored(ctx, mail.Traceparent, tracing.Internal, "resend welcome mail", tracing.TenantID(mail.Tenant.String()))
		out, err := r.service.resend(ctx, mail)
		span.End(err)
		return out, err
	}
	o := outcomeOf(ErrMailUnconfirmed, 0)
	o.Claim = mail.Claim
	t, err := r.service.invitations.RecordWelcome(ctx, mail.Tenant, o)
	return Outcome{Tenant: t}, err
}
