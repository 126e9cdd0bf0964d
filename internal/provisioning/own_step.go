package provisioning

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// OwnStep is a step that a tenant's blueprint adds to the seven, in one attempt.
type OwnStep struct {
	Definition blueprint.Step // Undo is that of the active revision, if it has one.
	Attempt    int
	Revision   int            // Of the blueprint.
	Outputs    tenant.Outputs // Of this step, once it is completed, until it is undone.
	State      OwnStepState
	CreatedAt  time.Time
	WebhookID  uuid.UUID // The same in each delivery of the step.
	UndoID     uuid.UUID // The same in each delivery of its undo.
}

// Step is the name of the step.
func (s OwnStep) Step() tenant.Step { return tenant.Step(s.Definition.Name) }

// OwnStepState is the state of an own step.
type OwnStepState string

// The states of an own step.
const (
	OwnStepPending     OwnStepState = "PENDING"   // Never sent.
	OwnStepSent        OwnStepState = "SENT"      // Sent, perhaps; not completed.
	OwnStepCompleted   OwnStepState = "COMPLETED" // Answered with 2xx.
	OwnStepRolledBack  OwnStepState = "ROLLED_BACK"
	OwnStepUndoFailed  OwnStepState = "UNDO_FAILED"
	OwnStepUndoSkipped OwnStepState = "UNDO_SKIPPED" // A person recorded that it is not tried any more, and why.
)

// Delivery is one request of an own step or its undo, recorded before it is sent.
type Delivery struct {
	Tenant    tenant.Tenant // As it is now.
	Number    int           // From 1.
	Wait      time.Duration // Positive: not due yet. Nothing was recorded.
	Remaining time.Duration // Until the deadline. Not positive: it has passed, and nothing was recorded.
	LastError string        // Why the delivery before was not the last one; empty for the first.
}

// OwnStepStore records the own steps of tenants.
type OwnStepStore interface {
	// OwnSteps returns the own steps of the run's attempt in their order.
	OwnSteps(ctx context.Context, r Run) ([]OwnStep, error)
	// BeginDelivery records that a request of a step is sent, before it is: from then on the
	// step has to be undone.
	BeginDelivery(ctx context.Context, r Run, s OwnStep) (Delivery, error)
	// PostponeStep records that the next request of a step, or of its undo, is due after a
	// delay, and why.
	PostponeStep(ctx context.Context, r Run, s OwnStep, delay time.Duration, reason string) error
	// CompleteStep records that a step is completed, its outputs and log rows.
	CompleteStep(ctx context.Context, r Run, s OwnStep, outputs tenant.Outputs, records ...tenant.StepRecord) (tenant.Tenant, error)
	// OpenStepLogin opens a login for the schema of the run's tenant, or returns the step's login
	// that is open, with that password, for at least ttl.
	OpenStepLogin(ctx context.Context, r Run, s OwnStep, password tenant.Password, ttl time.Duration) (credentials.Credential, error)
	// CloseStepLogins ends the logins of a tenant's own steps and their sessions.
	CloseStepLogins(ctx context.Context, tenant uuid.UUID) error
}

// UndoStore records the undoing of own steps.
type UndoStore interface {
	// StepsToUndo returns the steps that were sent, are not undone and have an undo, the newest
	// first, and a Run for the other methods.
	StepsToUndo(ctx context.Context, tenant uuid.UUID) (Run, []OwnStep, error)
	// BeginUndo records that the undo of a step is sent, before it is.
	BeginUndo(ctx context.Context, r Run, s OwnStep) (Delivery, error)
	// EndUndo records that a step was undone, or why it could not be.
	EndUndo(ctx context.Context, r Run, s OwnStep, failure string) error
	// SkipUndo records that steps are not undone, and why. KindInvalid for a step of which
	// nothing is left over.
	SkipUndo(ctx context.Context, tenant uuid.UUID, steps []string, reason string) error
}

// StepSender sends the requests of own steps.
type StepSender interface {
	// SendStep sends one request and reads its answer. KindTransient when the request is to be
	// repeated: 408, 429, 5xx, no answer. KindPermanent for every other answer but 2xx.
	// RetryAfter can be set with an error, too.
	SendStep(ctx context.Context, r StepRequest) (StepAnswer, error)
	// StepPassword is the password of a step's login: the same for each delivery, so that all
	// processes send the same request. KindPermanent without the secret of the step.
	StepPassword(s OwnStep) (tenant.Password, error)
}

// StepRequest is one request of an own step or of its undo.
type StepRequest struct {
	Step   OwnStep
	Undo   bool
	Tenant tenant.Tenant
	Login  *credentials.Credential // Nil: none.
	// Traceparent is that of the tenant, the same in each delivery. That of the delivery is in the context.
	Traceparent string
}

// StepAnswer is the answer to a request.
type StepAnswer struct {
	Pending    bool          // 202 with Retry-After: to be asked again.
	RetryAfter time.Duration // 0: the answer does not say.
	Outputs    tenant.Outputs
}

// Limits of the pause between two requests of an own step.
const (
	minStepPause = time.Second
	maxStepPause = 2 * time.Minute
)

// postponedError ends a run in the background whose next request is not due yet.
type postponedError struct {
	step   tenant.Step
	delay  time.Duration
	reason string
}

func (e *postponedError) Error() string {
	return fmt.Sprintf("step %s is sent again in %v: %s", e.step, e.delay.Round(time.Second), e.reason)
}

// PostponedFor returns after which time a run that ended with err is to be continued: it waits
// for a receiver's answer to an own step. 0 for every other error.
func PostponedFor(err error) time.Duration {
	var postponed *postponedError
	if errors.As(err, &postponed) {
		return postponed.delay
	}
	return 0
}

// noStepSender is the StepSender of a pipeline without one.
type noStepSender struct{}
