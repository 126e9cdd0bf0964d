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
)

// OrphanStore finds what nobody works on although somebody should. All its methods
// may be called by many processes at once: what one of them has taken, no other
// gets.
type OrphanStore interface {
	// FindOrphans looks through tenants that are neither at rest nor held by a run.
	// One whose job is lost gets another one; the rest it tells.
	FindOrphans(ctx context.Context, q OrphanQuery) (Orphans, error)
	// ClaimDueMail gives ACTIVE tenants whose welcome mail is due, and puts them off: for
	// that long nobody else gets them.
	ClaimDueMail(ctx context.Context, putOff time.Duration, limit int) ([]uuid.UUID, error)
	// PutBackMail makes welcome mails due again that ClaimDueMail gave and nobody sent.
	PutBackMail(ctx context.Context, tenants []uuid.UUID) error
	// PurgeExpired deletes invitations that were never used and expired that long ago, and
	// idempotency keys of that age; at most limit of each.
	PurgeExpired(ctx context.Context, invitations, keys time.Duration, limit int) (PurgedRows, error)
	// DropExpiredLogins drops all logins that have ended, a batch at a time.
	DropExpiredLogins(ctx context.Context, batch int) (int64, error)
}

// OrphanQuery says which tenants are left over.
type OrphanQuery struct {
	HeartbeatTimeout time.Duration // Without a sign of life for that long, a worker is dead.
	AbandonAfter     time.Duration // Without one for that long, nobody in the foreground comes back.
	Limit            int           // The most tenants of each sort.
}

// Orphans are tenants that were left over, by what becomes of them.
type Orphans struct {
	Requeued    []uuid.UUID // Have another job by now.
	Exhausted   []uuid.UUID // The attempts of their job are used up.
	Interrupted []uuid.UUID // A rollback in the foreground was not finished.
	Abandoned   []uuid.UUID // A run in the foreground was not finished.
}

// PurgedRows counts what was deleted.
type PurgedRows struct{ Invitations, Keys int64 }

// ReconcilerOptions are the settings of a Reconciler. Zero values give the defaults.
type ReconcilerOptions struct {
	HeartbeatTimeout   time.Duration         // See OrphanQuery. Default: the pipeline's LeaseTTL and a second.
	AbandonAfter       time.Duration         // See OrphanQuery. Default DefaultAbandonAfter.
	Batch              int                   // The most of anything that one pass takes on. Default 50.
	MaxConcurrentMails int                   // Default 4.
	Contracts          *contracts.Reconciler // Looks after contracts. Nil: nobody here does.
	PurgeInterval      time.Duration         // How long a process sweeps no more after it found nothing to sweep. Default an hour.
}

// DefaultAbandonAfter is how long Terraform has to come back to a tenant.
const DefaultAbandonAfter = time.Hour

// How long things stay.
const (
	invitationRetention = 7 * 24 * time.Hour // After they expired.
	mailClaimTimeout    = 10 * time.Minute   // Longer than sending one can take.
)

// Reconciler finishes what dead processes left: tenants, mails, old rows. It
// keeps nothing in memory that matters, and any number of them may work side by
// side. Its passes may overlap: a part that the pass before is still at is left
// out of the next.
type Reconciler struct {
	orphans  OrphanStore
	service  *Service
	pipeline *Pipeline
	opts     ReconcilerOptions

	finishMu, mailMu, purgeMu, loginMu, contractMu sync.Mutex

	purgeDueAt time.Time // Guarded by sweeping.
}

// NewReconciler wires a reconciler; all parts are needed.
func NewReconciler(orphans OrphanStore, service *Service, o ReconcilerOptions) (*Reconciler, error) {
	if orphans == nil || service == nil {
		return nil, errs.Errorf(errs.KindInvalid, "set up reconciler", "Leftovers or Service is missing")
	}
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&o.HeartbeatTimeout, service.pipeline.opts.LeaseTTL+time.Second)
	set(&o.AbandonAfter, DefaultAbandonAfter)
	set(&o.PurgeInterval, time.Hour)
	if o.Batch == 0 {
		o.Batch = 50
	}
	if o.MaxConcurrentMails == 0 {
		o.MaxConcurrentMails = 4
	}
	return &Reconciler{orphans: orphans, service: service, pipeline: service.pipeline, opts: o}, nil
}

// Report is what one pass did.
type Report struct {
	Requeued      []uuid.UUID // Tenants that a worker takes on again.
	RolledBack    []uuid.UUID // Tenants whose interrupted rollback was finished.
	Failed        []uuid.UUID // Tenants whose attempt was ended; they are FAILED.
	EmailsSent    []uuid.UUID // Tenants whose welcome mail went out.
	EmailsPending []uuid.UUID // Tenants whose welcome mail was tried again without success.
	PurgedRows
	Credentials int64 // Logins that were dropped because they had ended.
	Contracts   contracts.Report
}

// Empty reports whether there was nothing to do.
func (r Report) Empty() bool {
	return len(r.Requeued)+len(r.RolledBack)+len(r.Failed)+len(r.EmailsSent)+len(r.EmailsPending) == 0 && r.PurgedRows == PurgedRows{} &&
		r.Credentials == 0 && r.Contracts.Empty()
}

// Pass does everything that is due once, as far as a batch goes. The report says
// what was done also when there is an error, which joins all that went wrong.
func (r *Reconciler) Pass(ctx context.Context) (Report, error) {
	var report Report
	// What waits for others comes last: a mail server that does not answer may hold it
	// up for minutes, and a ledger takes seconds.
	err := errors.Join(
		tryRun(&r.finishMu, func() error { return r.finishOrphans(ctx, &report) }),
		tryRun(&r.purgeMu, func() error { return r.purgeExpired(ctx, &report) }),
		tryRun(&r.loginMu, func() (err error) {
			report.Credentials, err = r.orphans.DropExpiredLogins(ctx, r.opts.Batch)
			return err
		}),
		tryRun(&r.mailMu, func() error { return r.sendDueMail(ctx, &report) }),
		tryRun(&r.contractMu, func() error { return r.reconcileContracts(ctx, &report) }),
	)
	return report, err
}

// reconcileContracts looks after contracts.
func (r *Reconciler) reconcileContracts(ctx context.Context, report *Report) (err error) {
	if r.opts.Contracts == nil {
		return nil
	}
	report.Contracts, err = r.opts.Contracts.Pass(ctx)
	return err
}

func tryRun(mu *sync.Mutex, f func() error) error {
	if !mu.TryLock() {
		return nil
	}
	defer mu.Unlock()
	return f()
}

// finishOrphans sees to the tenants that nobody runs.
func (r *Reconciler) finishOrphans(ctx context.Context, report *Report) error {
	found, err := r.orphans.FindOrphans(ctx, OrphanQuery{
		HeartbeatTimeout: r.opts.HeartbeatTimeout, AbandonAfter: r.opts.AbandonAfter, Limit: r.opts.Batch,
	})
	report.Requeued = found.Requeued
	errs := []error{err}
	each := func(ids []uuid.UUID, done *[]uuid.UUID, act func(uuid.UUID) error) {
		for _, id := range ids {
			switch err := act(id); {
			case err == nil:
				*done = append(*done, id)
			case !superseded(err):
				errs = append(errs, fmt.Errorf("tenant %s: %w", id, err))
			}
		}
	}
	each(found.Interrupted, &report.RolledBack, func(id uuid.UUID) error {
		_, err := r.pipeline.Run(ctx, id, RunOptions{Mode: ClaimResume})
		return err
	})
	failTenant := func(reason string) func(uuid.UUID) error {
		return func(id uuid.UUID) error {
			_, err := r.pipeline.FailTenant(ctx, id, reason)
			return err
		}
	}
	each(found.Exhausted, &report.Failed, failTenant("every attempt was used up and none came to an end; look into the log for the reason, then retry the tenant"))
	each(found.Abandoned, &report.Failed, failTenant(fmt.Sprintf(
		"the run was interrupted and nobody came back to it for %v; create the tenant again to continue it", r.opts.AbandonAfter)))
	return errors.Join(errs...)
}

// superseded reports whether somebody else has taken care of the tenant meanwhile.
func superseded(err error) bool {
	kind := errs.KindOf(err)
	return kind == errs.KindConflict || kind == errs.KindFenced || kind == errs.KindNotFound
}

func (r *Reconciler) purgeExpired(ctx context.Context, report *Report) error {
	now := r.pipeline.opts.Clock.Now()
	if now.Before(r.purgeDueAt) {
		return nil
	}
	purged, err := r.orphans.PurgeExpired(ctx, invitationRetention, IdempotencyTTL, 20*r.opts.Batch)
	if purged == (PurgedRows{}) && err == nil {
		r.purgeDueAt = now.Add(r.opts.PurgeInterval)
	}
	report.PurgedRows = purged
	return err
}

// sendDueMail sends welcome mails that are due. What becomes of each is noted on its
// tenant, with the time of the next try. After a stop, those that were not sent are
// put back for others.
func (r *Reconciler) sendDueMail(ctx context.Context, report *Report) error {
	var due []uuid.UUID
	err := r.pipeline.detached(ctx, func(ctx context.Context) (err error) {
		due, err = r.orphans.ClaimDueMail(ctx, mailClaimTimeout, r.opts.Batch)
		return err
	})
	if err != nil {
		return err
	}
	var (
		failures []error
		unsent   []uuid.UUID
		mu       sync.Mutex // Guards errs, unsent and report.
		group    errgroup.Group
	)
	group.SetLimit(r.opts.MaxConcurrentMails)
	for _, id := range due {
		group.Go(func() error {
			out, err := r.service.Invite(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case superseded(err):
			case errs.KindOf(err) == errs.KindCancelled:
				unsent, failures = append(unsent, id), append(failures, err)
			case err != nil:
				failures = append(failures, fmt.Errorf("welcome mail of tenant %s: %w", id, err))
			case out.Tenant.WelcomeEmail == tenant.WelcomeEmailSent:
				report.EmailsSent = append(report.EmailsSent, id)
			default:
				report.EmailsPending = append(report.EmailsPending, id)
			}
			return nil // One tenant's error stops no other.
		})
	}
	_ = group.Wait()
	if len(unsent) > 0 {
		back, end := r.pipeline.withGrace(ctx)
		failures = append(failures, r.orphans.PutBackMail(back, unsent))
		end(nil)
	}
	return errors.Join(failures...)
}
