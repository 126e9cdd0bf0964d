package provisioning

import (
	"context"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Event is one piece of progress of a run.
type Event struct {
	Tenant   tenant.Tenant
	Attempt  int
	Step     tenant.Step
	Status   tenant.StepStatus
	Duration time.Duration // Of a step that ended, as recorded in the provisioning log; else 0.
	Message  string        // For people, without secrets: why a step failed or is retried.
	Cause    error         // Only for the log.
	TraceID  string        // As in the provisioning log.
}

// RunEnd says how a run ended.
type RunEnd struct {
	Outcome  RunOutcome
	Took     time.Duration // From the claim, at least a microsecond.
	TookOver bool          // The run before it held the tenant until its lease expired: its process died, or did not reach the registry.
}

// RunOutcome is the result of a run.
type RunOutcome string

// The outcomes of runs.
const (
	RunActivated   RunOutcome = "activated"   // The tenant is ACTIVE.
	RunFailed      RunOutcome = "failed"      // The attempt was rolled back, and the tenant is FAILED.
	RunAborted     RunOutcome = "aborted"     // The attempt was rolled back, and the tenant is ARCHIVED.
	RunRetried     RunOutcome = "retried"     // A transient error: a later run continues.
	RunPostponed   RunOutcome = "postponed"   // The next request of an own step is not due yet.
	RunStopped     RunOutcome = "stopped"     // The caller stopped it.
	RunSuperseded  RunOutcome = "superseded"  // Another run has the tenant.
	RunInterrupted RunOutcome = "interrupted" // Something else ended it before the tenant was complete.
)

// RunOutcomes are all outcomes of runs.
func RunOutcomes() []RunOutcome {
	return []RunOutcome{RunActivated, RunFailed, RunAborted, RunRetried, RunPostponed, RunStopped, RunSuperseded, RunInterrupted}
}

// runOutcomeOf classifies the end of a run by the tenant's status and the error.
func runOutcomeOf(t tenant.Tenant, err error) RunOutcome {
	switch kind := errs.KindOf(err); {
	case PostponedFor(err) > 0:
		return RunPostponed
	case kind == errs.KindFenced:
		return RunSuperseded
	case t.Status == tenant.StatusActive && err == nil:
		return RunActivated
	case t.Status == tenant.StatusFailed:
		return RunFailed
	case t.Status == tenant.StatusArchived:
		return RunAborted
	case kind == errs.KindCancelled:
		return RunStopped
	case kind == errs.KindTransient:
		return RunRetried
	}
	return RunInterrupted
}

// RunObserver receives the end of each run, on the run's goroutine; it must not block.
type RunObserver func(RunEnd)

// Observer receives the events of a run, on the run's goroutine; it must not block.
type Observer func(ctx context.Context, e Event)
