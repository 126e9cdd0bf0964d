package provisioning

import (
	"context"
	"time"

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
}

// Observer receives the events of a run, on the run's goroutine; it must not block.
type Observer func(ctx context.Context, e Event)
