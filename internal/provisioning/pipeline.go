package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/processid"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// MailFailurePolicy decides what happens to a tenant whose welcome mail is refused.
type MailFailurePolicy string

// The policies for a welcome mail that fails.
const (
	MailFailureWarn MailFailurePolicy = "warn" // The tenant goes live; the mail is sent later.
	MailFailureFail MailFailurePolicy = "fail" // The attempt is rolled back.
)

// Defaults of the lease: another run can claim the tenant at most 4 s after the last
// heartbeat of a dead run.
const (
	DefaultLeaseTTL  = 4 * time.Second
	DefaultHeartbeat = time.Second
)

// A run whose caller has a deadline ends at most 5 s after it: the running step has timeoutGrace,
// and then the last commit or the release has cleanupGrace.
const (
	timeoutGrace = 3 * time.Second
	cleanupGrace = 1500 * time.Millisecond
)

// PipelineOptions are the settings of a Pipeline. Zero values mean the defaults.
type PipelineOptions struct {
	Owner       string            // Names this process in leases. Default: host, process id and a random part.
	LeaseTTL    time.Duration     // Default DefaultLeaseTTL.
	Heartbeat   time.Duration     // Default DefaultHeartbeat; must be under half of LeaseTTL.
	StepGrace   time.Duration     // How long a running step may continue after a stop was requested. Default 30 s.
	Retry       retry.Policy      // Default retry.Default().
	MailFailure MailFailurePolicy // Default MailFailureWarn.
	// InvitationTTL is how long an invitation can be accepted. Default invitation.DefaultTTL.
	InvitationTTL time.Duration
	MailWait      time.Duration // How long a run waits for the welcome mail. Default DefaultMailWait.
	MailDotWait   time.Duration // The same with MailFailureFail until the final dot. Default DefaultMailDotWait.
	Clock         clock.Clock   // Default clock.System.
	Observer      Observer      // Default: none.
	RunObserver   RunObserver   // Default: none.
	StepSender    StepSender    // Default: none; then the own steps of blueprints fail.

	// OpaqueSchemaNames gives new tenants schema names that do not tell theirs.
	OpaqueSchemaNames bool
	// DefaultBlueprint is that of new tenants whose inputs name none. Default
	// tenant.StandardBlueprint.
	DefaultBlueprint string
}

// Pipeline runs the seven steps of tenants. It keeps no state between calls and may be
// used concurrently.
type Pipeline struct {
	leases       LeaseStore
	steps        StepStore
	rollbacks    RollbackStore
	welcomes     WelcomeStore
	failureMails FailureMailStore
	ownStepStore OwnStepStore
	undoStore    UndoStore
	deployer     ContractDeployer
	mailer       Mailer
	opts         PipelineOptions
}

// NewPipeline makes a pipeline. KindInvalid when a port is nil or the options contradict
// each other.
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
	return &Pipeline{leases: runs, steps: runs, rollbacks: runs, welcomes: runs, failureMails: runs, ownStepStore: runs, undoStore: runs, deployer: deployer, mailer: mailer, opts: opts}, nil
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
	set(&o.MailWait, DefaultMailWait)
	set(&o.MailDotWait, DefaultMailDotWait)
	if o.Owner == "" {
		o.Owner = processid.New()
	}
	if o.Retry.Attempts == 0 {
		o.Retry = retry.Default()
	}
	if o.InvitationTTL == 0 {
		o.InvitationTTL = invitation.DefaultTTL
	}
	if o.MailFailure == "" {
		o.MailFailure = MailFailureWarn
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.StepSender == nil {
		o.StepSender = noStepSender{}
	}
	if o.Observer == nil {
		o.Observer = func(context.Context, Event) {}
	}
	if o.RunObserver == nil {
		o.RunObserver = func(RunEnd) {}
	}
	return o
}

// Outcome is the result of a run.
type Outcome struct {
	Tenant            tenant.Tenant
	Continued         bool           // The tenant existed and never went live; the run continued it.
	ConflictingTenant *tenant.Tenant // With KindConflict: the existing tenant. It is not the caller's.
	Adopted           bool           // A live tenant with the same managed_by and inputs was adopted.
	Unarchived        bool           // An archived tenant with the same external id was brought back.
	Warnings          []string       // For people: problems that did not fail the run.
	MailUnderWay      bool           // Of Invite: a warning says that the mail server has not answered yet.
}

// Lease returns the lease that this pipeline requests for each claim.
func (p *Pipeline) Lease() LeaseRequest {
	return LeaseRequest{Owner: p.opts.Owner, TTL: p.opts.LeaseTTL}
}

// RunOptions are the options of a run.
type RunOptions struct {
	Mode ClaimMode
	// Retryable keeps the attempt open after a transient error, because the caller runs
	// the tenant again later: it stays PROVISIONING and keeps its progress.
	Retryable bool
	// CancelOnDisconnect activates a tenant only while the caller is connected. If the
	// caller has disconnected, the run releases the tenant before the last commit. The
	// caller's next request then continues the tenant, instead of a conflict with a live
	// tenant of which the caller has no record.
	CancelOnDisconnect bool
	// Foreground waits for what a run in the background leaves to a later one: the next request
	// of an own step, and the failure mail, up to MailWait. The program may end after the run.
	Foreground bool
}

// Run claims the tenant and runs the remaining steps, until it is ACTIVE or was rolled
// back to FAILED. It can return every kind: KindConflict when another run holds the
// tenant, KindCancelled when ctx ended first (the tenant keeps its progress, and the next
// Run continues), KindFenced when a newer run superseded this one.
func (p *Pipeline) Run(ctx context.Context, id uuid.UUID, o RunOptions) (Outcome, error) {
	run, err := p.claim(ctx, id, o.Mode)
	if err != nil {
		return Outcome{}, err
	}
	return p.Continue(ctx, run, o)
}

// claim takes the lease of the tenant.
func (p *Pipeline) claim(ctx context.Context, id uuid.UUID, mode ClaimMode) (run Run, err error) {
	err = p.detached(ctx, func(ctx context.Context) error {
		run, err = p.leases.Claim(ctx, id, mode, p.Lease())
		return err
	})
	return run, err
}

// detached calls claim, which takes a lease, with a context that outlives ctx. See
// retry.Detached.
func (p *Pipeline) detached(ctx context.Context, claim func(context.Context) error) error {
	return retry.Detached(ctx, p.opts.Clock, p.grace(), claim)
}

// withGrace returns a context that ends some time after ctx does, or when the returned
// function is called.
func (p *Pipeline) withGrace(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	return retry.WithGrace(ctx, p.opts.Clock, p.grace())
}

// grace is how long work may go on after the caller's context has ended.
func (p *Pipeline) grace() retry.Grace {
	return retry.Grace{AfterStop: p.opts.StepGrace, AfterDeadline: min(timeoutGrace, p.opts.StepGrace)}
}

// Continue is Run for a tenant that the caller has claimed.
func (p *Pipeline) Continue(ctx context.Context, run Run, o RunOptions) (Outcome, error) {
	ctx, span := tracing.ContinueStored(ctx, run.Traceparent, tracing.Internal, "provision", tracing.TenantID(run.Tenant.ID.String()), tracing.Attempt(run.Tenant.Attempt))
	workCtx, endWork := p.withGrace(ctx)
	defer endWork(nil)
	started := p.opts.Clock.Now()
	x := &execution{Pipeline: p, run: run, callerCtx: ctx, workCtx: workCtx, options: o}
	heartbeatDone := make(chan struct{})
	go func() {
		defer close(heartbeatDone)
		x.heartbeat(workCtx, run, endWork)
	}()
	act := x.runSteps
	if run.Rollback != RollbackNone { // An earlier run began it.
		act = x.rollBack
	}
	t, err := act()
	endWork(nil)
	<-heartbeatDone
	outcome := runOutcomeOf(t, err)
	endRunSpan(span, outcome, err)
	p.opts.RunObserver(RunEnd{Outcome: outcome, Took: p.opts.since(started), TookOver: run.TookOver})
	out := Outcome{Tenant: t, Warnings: x.warnings}
	if err != nil || run.Rollback == RollbackNone || o.Mode != ClaimRetry {
		return out, err
	}
	// The rollback of an earlier run is finished now; start the attempt that the caller
	// requested.
	if run, err = p.claim(ctx, t.ID, ClaimRetry); err != nil {
		return out, err
	}
	return p.Continue(ctx, run, o)
}

// FailTenant rolls back an unfinished tenant without a run and makes it FAILED; a tenant
// whose abort was interrupted becomes ARCHIVED. KindConflict when a run holds the tenant or
// its status is terminal.
func (p *Pipeline) FailTenant(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error) {
	run, err := p.claim(ctx, id, ClaimResume)
	if err != nil {
		return tenant.Tenant{}, err
	}
	if run.Rollback == RollbackNone {
		next := tenant.StepSendWelcomeEmail
		if i, steps := run.Checkpoint.Index(), tenant.Steps(); i >= 0 && i+1 < len(steps) {
			next = steps[i+1]
		}
		record := tenant.StepRecord{Step: next, Status: tenant.StepFailed, Error: reason}
		// It runs also after a stop: the tenant is claimed, and the rollback is short.
		work, end := p.withGrace(ctx)
		for range p.opts.Retry.Tries(work, p.opts.Clock, &err, nil) {
			err = p.rollbacks.BeginRollback(work, run, RollbackToFailed, record)
		}
		end(nil)
		if err != nil {
			return run.Tenant, err
		}
		run.Rollback = RollbackToFailed
	}
	out, err := p.Continue(ctx, run, RunOptions{})
	return out.Tenant, err
}

// abort finishes the rollback of a tenant that MoveStore.Abort has claimed.
func (p *Pipeline) abort(ctx context.Context, run Run) (tenant.Tenant, error) {
	// It waits for the undo of own steps, as long as ctx permits; after that a reconciler goes on.
	out, err := p.Continue(ctx, run, RunOptions{Foreground: true})
	return out.Tenant, err
}
