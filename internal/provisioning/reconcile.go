package provisioning

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Leftovers finds what nobody works on although somebody should. All its methods
// may be called by many processes at once: what one of them has taken, no other
// gets.
type Leftovers interface {
	// Unfinished looks through tenants that are neither at rest nor held by a run.
	// One whose job is lost gets another one; the rest it tells.
	Unfinished(ctx context.Context, q UnfinishedQuery) (Unfinished, error)
	// DueMail gives ACTIVE tenants whose welcome mail is due, and puts them off: for
	// that long nobody else gets them.
	DueMail(ctx context.Context, putOff time.Duration, limit int) ([]uuid.UUID, error)
	// Sweep deletes invitations that were never used and expired that long ago, and
	// idempotency keys of that age; at most limit of each.
	Sweep(ctx context.Context, invitations, keys time.Duration, limit int) (Swept, error)
	// SweepCredentials drops all logins that have ended, a batch at a time.
	SweepCredentials(ctx context.Context, batch int) (int64, error)
}

// UnfinishedQuery says which tenants are left over.
type UnfinishedQuery struct {
	Silence      time.Duration // Without a sign of life for that long, a worker is dead.
	AbandonAfter time.Duration // Without one for that long, nobody in the foreground comes back.
	Limit        int           // The most tenants of each sort.
}

// Unfinished are tenants that were left over, by what becomes of them.
type Unfinished struct {
	Requeued    []uuid.UUID // Have another job by now.
	Exhausted   []uuid.UUID // The attempts of their job are used up.
	Interrupted []uuid.UUID // A rollback in the foreground was not finished.
	Abandoned   []uuid.UUID // A run in the foreground was not finished.
}

// Swept counts what was deleted.
type Swept struct{ Invitations, Keys int64 }

// ReconcilerOptions are the settings of a Reconciler. Zero values give the defaults.
type ReconcilerOptions struct {
	Silence       time.Duration // See UnfinishedQuery. Default: the pipeline's LeaseTTL and a second.
	AbandonAfter  time.Duration // See UnfinishedQuery. Default DefaultAbandonAfter.
	Batch         int           // The most of anything that one pass takes on. Default 50.
	MailsAtOnce   int           // Default 4.
	Keeper        *Keeper       // Looks after contracts. Nil: nobody here does.
	SweepInterval time.Duration // How long a process sweeps no more after it found nothing to sweep. Default an hour.
}

// DefaultAbandonAfter is how long Terraform has to come back to a tenant.
const DefaultAbandonAfter = time.Hour

// How long things stay.
const (
	invitationsKept = 7 * 24 * time.Hour // After they expired.
	mailPutOff      = 10 * time.Minute   // Longer than sending one can take.
)

// Reconciler finishes what dead processes left: tenants, mails, old rows. It
// keeps nothing in memory that matters, and any number of them may work side by
// side. Its passes may overlap: a part that the pass before is still at is left
// out of the next.
type Reconciler struct {
	left     Leftovers
	service  *Service
	pipeline *Pipeline
	opts     ReconcilerOptions

	finishing, mailing, sweeping, closing, keeping sync.Mutex

	sweepAfter time.Time // Guarded by sweeping.
}

// NewReconciler wires a reconciler; all parts are needed.
func NewReconciler(left Leftovers, service *Service, o ReconcilerOptions) (*Reconciler, error) {
	if left == nil || service == nil {
		return nil, Errorf(KindInvalid, "set up reconciler", "Leftovers or Service is missing")
	}
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&o.Silence, service.pipeline.opts.LeaseTTL+time.Second)
	set(&o.AbandonAfter, DefaultAbandonAfter)
	set(&o.SweepInterval, time.Hour)
	if o.Batch == 0 {
		o.Batch = 50
	}
	if o.MailsAtOnce == 0 {
		o.MailsAtOnce = 4
	}
	return &Reconciler{left: left, service: service, pipeline: service.pipeline, opts: o}, nil
}

// Report is what one pass did.
type Report struct {
	Requeued   []uuid.UUID // Tenants that a worker takes on again.
	RolledBack []uuid.UUID // Tenants whose interrupted rollback was finished.
	GivenUp    []uuid.UUID // Tenants whose attempt was ended; they are FAILED.
	Mailed     []uuid.UUID // Tenants whose welcome mail went out.
	Unmailed   []uuid.UUID // Tenants whose welcome mail was tried again without success.
	Swept
	Credentials int64 // Logins that were dropped because they had ended.
	Contracts   KeeperReport
}

// Empty reports whether there was nothing to do.
func (r Report) Empty() bool {
	return len(r.Requeued)+len(r.RolledBack)+len(r.GivenUp)+len(r.Mailed)+len(r.Unmailed) == 0 && r.Swept == Swept{} &&
		r.Credentials == 0 && r.Contracts.Empty()
}

// Pass does everything that is due once, as far as a batch goes. The report says
// what was done also when there is an error, which joins all that went wrong.
func (r *Reconciler) Pass(ctx context.Context) (Report, error) {
	var report Report
	// What waits for others comes last: a mail server that does not answer may hold it
	// up for minutes, and a ledger takes seconds.
	err := errors.Join(
		once(&r.finishing, func() error { return r.finish(ctx, &report) }),
		once(&r.sweeping, func() error { return r.sweep(ctx, &report) }),
		once(&r.closing, func() (err error) {
			report.Credentials, err = r.left.SweepCredentials(ctx, r.opts.Batch)
			return err
		}),
		once(&r.mailing, func() error { return r.mail(ctx, &report) }),
		once(&r.keeping, func() error { return r.keep(ctx, &report) }),
	)
	return report, err
}

// keep looks after contracts.
func (r *Reconciler) keep(ctx context.Context, report *Report) (err error) {
	if r.opts.Keeper == nil {
		return nil
	}
	report.Contracts, err = r.opts.Keeper.Pass(ctx)
	return err
}

func once(busy *sync.Mutex, part func() error) error {
	if !busy.TryLock() {
		return nil
	}
	defer busy.Unlock()
	return part()
}

// finish sees to the tenants that nobody runs.
func (r *Reconciler) finish(ctx context.Context, report *Report) error {
	found, err := r.left.Unfinished(ctx, UnfinishedQuery{
		Silence: r.opts.Silence, AbandonAfter: r.opts.AbandonAfter, Limit: r.opts.Batch,
	})
	report.Requeued = found.Requeued
	errs := []error{err}
	each := func(ids []uuid.UUID, done *[]uuid.UUID, act func(uuid.UUID) error) {
		for _, id := range ids {
			switch err := act(id); {
			case err == nil:
				*done = append(*done, id)
			case !overtaken(err):
				errs = append(errs, fmt.Errorf("tenant %s: %w", id, err))
			}
		}
	}
	each(found.Interrupted, &report.RolledBack, func(id uuid.UUID) error {
		_, err := r.pipeline.Run(ctx, id, RunOptions{Mode: ClaimResume})
		return err
	})
	giveUp := func(reason string) func(uuid.UUID) error {
		return func(id uuid.UUID) error {
			_, err := r.pipeline.GiveUp(ctx, id, reason)
			return err
		}
	}
	each(found.Exhausted, &report.GivenUp, giveUp("every attempt was used up and none came to an end; look into the log for the reason, then retry the tenant"))
	each(found.Abandoned, &report.GivenUp, giveUp(fmt.Sprintf(
		"the run was interrupted and nobody came back to it for %v; create the tenant again to continue it", r.opts.AbandonAfter)))
	return errors.Join(errs...)
}

// overtaken reports whether somebody else has taken care of the tenant meanwhile.
func overtaken(err error) bool {
	kind := KindOf(err)
	return kind == KindConflict || kind == KindFenced || kind == KindNotFound
}

func (r *Reconciler) sweep(ctx context.Context, report *Report) error {
	now := r.pipeline.opts.Clock.Now()
	if now.Before(r.sweepAfter) {
		return nil
	}
	swept, err := r.left.Sweep(ctx, invitationsKept, IdempotencyTTL, 20*r.opts.Batch)
	if swept == (Swept{}) && err == nil {
		r.sweepAfter = now.Add(r.opts.SweepInterval)
	}
	report.Swept = swept
	return err
}

// mail sends welcome mails that are due. What becomes of each is noted on its
// tenant, with the time of the next try.
func (r *Reconciler) mail(ctx context.Context, report *Report) error {
	due, err := r.left.DueMail(ctx, mailPutOff, r.opts.Batch)
	if err != nil {
		return err
	}
	var (
		errs   []error
		mu     sync.Mutex // Guards errs and report.
		all    sync.WaitGroup
		places = make(chan struct{}, r.opts.MailsAtOnce)
	)
	for _, id := range due {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			out, err := r.service.ResendWelcome(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case overtaken(err):
			case err != nil:
				errs = append(errs, fmt.Errorf("welcome mail of tenant %s: %w", id, err))
			case out.Tenant.WelcomeEmail == WelcomeEmailSent:
				report.Mailed = append(report.Mailed, id)
			default:
				report.Unmailed = append(report.Unmailed, id)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
