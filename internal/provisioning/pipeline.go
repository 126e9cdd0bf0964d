package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/processid"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// MailFailurePolicy says what becomes of a tenant whose welcome mail is refused.
type MailFailurePolicy string

// The policies for a welcome mail that fails.
const (
	MailFailureWarn MailFailurePolicy = "warn" // The tenant goes live; the mail can be sent again.
	MailFailureFail MailFailurePolicy = "fail" // The attempt is rolled back.
)

// Lease lengths (DESIGN, section 2): a dead run is taken over 10 s after its
// last sign of life at the latest.
const (
	DefaultLeaseTTL  = 10 * time.Second
	DefaultHeartbeat = 3 * time.Second
)

// PipelineOptions are the settings of a Pipeline. Zero values give the defaults.
type PipelineOptions struct {
	Owner       string            // Names this process in leases. Default: host, process id and a random part.
	LeaseTTL    time.Duration     // Default DefaultLeaseTTL.
	Heartbeat   time.Duration     // Default DefaultHeartbeat; must be under half of LeaseTTL.
	StepGrace   time.Duration     // How long a running step may go on after a stop was asked for. Default 30 s.
	Retry       retry.Policy      // Default Default.
	MailFailure MailFailurePolicy // Default MailFailureWarn.
	Clock       clock.Clock       // Default System.
	Observer    Observer          // Default: nobody watches.
}

// Pipeline takes tenants through the seven steps. It keeps nothing between
// calls and may be used by many goroutines.
type Pipeline struct {
	leases    LeaseStore
	steps     StepStore
	rollbacks RollbackStore
	deployer  ContractDeployer
	mailer    Mailer
	opts      PipelineOptions
}

// NewPipeline wires a pipeline. All three ports are needed.
func NewPipeline(runs Runs, deployer ContractDeployer, mailer Mailer, opts PipelineOptions) (*Pipeline, error) {
	const op = "set up pipeline"
	switch {
	case runs == nil:
		return nil, errs.Errorf(errs.KindInvalid, op, "Runs is missing")
	case deployer == nil:
		return nil, errs.Errorf(errs.KindInvalid, op, "ContractDeployer is missing")
	case mailer == nil:
		return nil, errs.Errorf(errs.KindInvalid, op, "Mailer is missing")
	}
	opts = opts.withDefaults()
	if opts.Heartbeat*2 > opts.LeaseTTL {
		return nil, errs.Errorf(errs.KindInvalid, op, "Heartbeat is %v; it must be at most half of LeaseTTL, %v", opts.Heartbeat, opts.LeaseTTL)
	}
	return &Pipeline{leases: runs, steps: runs, rollbacks: runs, deployer: deployer, mailer: mailer, opts: opts}, nil
}

func (o PipelineOptions) withDefaults() PipelineOptions {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&o.LeaseTTL, DefaultLeaseTTL)
	set(&o.Heartbeat, DefaultHeartbeat)
	set(&o.StepGrace, 30*time.Second)
	if o.Owner == "" {
		o.Owner = processid.New()
	}
	if o.Retry.Attempts == 0 {
		o.Retry = retry.Default()
	}
	if o.MailFailure == "" {
		o.MailFailure = MailFailureWarn
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Observer == nil {
		o.Observer = func(context.Context, Event) {}
	}
	return o
}

// Outcome is what a run leaves.
type Outcome struct {
	Tenant            tenant.Tenant
	Continued         bool           // A tenant that had been begun earlier was taken further.
	ConflictingTenant *tenant.Tenant // With KindConflict: the tenant that stands in the way. It is not the caller's.
	Adopted           bool           // A live tenant with the same managed_by and inputs was taken over.
	Warnings          []string       // Things that a person should know and that are no failure.
}

// Lease is the claim that this pipeline makes.
func (p *Pipeline) Lease() LeaseRequest {
	return LeaseRequest{Owner: p.opts.Owner, TTL: p.opts.LeaseTTL}
}

// RunOptions say what a run may do.
type RunOptions struct {
	Mode ClaimMode
	// Retryable says that a transient fault does not end the attempt, because the
	// caller runs the tenant again later: it keeps its progress and PROVISIONING.
	Retryable bool
	// CancelOnDisconnect says that a tenant goes live only while the caller waits for it. One
	// whose caller has gone, perhaps for good, is given back before the last commit:
	// the caller's next try then continues it, and does not meet a live tenant that
	// it knows nothing of.
	CancelOnDisconnect bool
}

// Run claims the tenant and takes it as far as it goes: to ACTIVE, or back to
// FAILED. It can return every kind: KindConflict when another run holds the
// tenant, KindCancelled when ctx ended first (the tenant keeps its progress, and
// Run continues it), KindFenced when this run was overtaken.
func (p *Pipeline) Run(ctx context.Context, id uuid.UUID, o RunOptions) (Outcome, error) {
	run, err := p.claim(ctx, id, o.Mode)
	if err != nil {
		return Outcome{}, err
	}
	return p.Continue(ctx, run, o)
}

// claim takes the tenant.
func (p *Pipeline) claim(ctx context.Context, id uuid.UUID, mode ClaimMode) (run Run, err error) {
	err = p.detached(ctx, func(ctx context.Context) error {
		run, err = p.leases.Claim(ctx, id, mode, p.Lease())
		return err
	})
	return run, err
}

// detached calls claim, which leases a tenant. See the function of that name.
func (p *Pipeline) detached(ctx context.Context, claim func(context.Context) error) error {
	return retry.Detached(ctx, p.opts.Clock, p.opts.StepGrace, claim)
}

// withGrace gives a context that ends StepGrace after ctx does, or with the function.
func (p *Pipeline) withGrace(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	return retry.WithGrace(ctx, p.opts.Clock, p.opts.StepGrace)
}

// Continue is Run for a tenant that is claimed already.
func (p *Pipeline) Continue(ctx context.Context, run Run, o RunOptions) (Outcome, error) {
	interrupted := run.Rollback
	out, err := p.execute(ctx, run, o)
	if interrupted == RollbackNone || o.Mode != ClaimRetry || err != nil {
		return out, err
	}
	// A rollback that a dead process had begun is finished now; the caller asked
	// for an attempt after that.
	run, err = p.claim(ctx, run.Tenant.ID, ClaimRetry)
	if err != nil {
		return out, err
	}
	return p.execute(ctx, run, o)
}

// FailTenant rolls back an unfinished tenant that nobody runs, and makes it FAILED; one
// whose abort was interrupted becomes ARCHIVED. It refuses with KindConflict a tenant that is held by a run or at rest.
func (p *Pipeline) FailTenant(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error) {
	run, err := p.claim(ctx, id, ClaimResume)
	if err != nil {
		return tenant.Tenant{}, err
	}
	if run.Rollback == RollbackNone {
		next := tenant.StepSendWelcomeEmail
		if i := run.Checkpoint.Index(); i >= 0 && i+1 < len(tenant.AllSteps) {
			next = tenant.AllSteps[i+1]
		}
		record := tenant.StepRecord{Step: next, Status: tenant.StepFailed, Error: reason}
		// Also after a stop: the tenant is held by now, and its rollback is short.
		work, end := p.withGrace(ctx)
		err := p.opts.Retry.Do(work, p.opts.Clock, func() error { return p.rollbacks.BeginRollback(work, run, RollbackToFailed, record) }, nil)
		end(nil)
		if err != nil {
			return run.Tenant, err
		}
		run.Rollback = RollbackToFailed
	}
	out, err := p.execute(ctx, run, RunOptions{})
	return out.Tenant, err
}

// abort finishes the rollback of a tenant that Registry.Abort has claimed.
func (p *Pipeline) abort(ctx context.Context, run Run) (tenant.Tenant, error) {
	out, err := p.execute(ctx, run, RunOptions{})
	return out.Tenant, err
}
