package provisioning

import (
	"context"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Event is something that a person who watches a run wants to know.
type Event struct {
	Tenant   tenant.Tenant
	Attempt  int
	Step     tenant.Step
	Status   tenant.StepStatus
	Duration time.Duration // Of a step that ended: its own, as the log has it.
	Message  string        // For people, free of secrets: why a step failed or is tried again.
	Cause    error         // For the log alone.
}

// Observer is told what a run does, on the run's goroutine; it must not block.
type Observer func(ctx context.Context, e Event)
