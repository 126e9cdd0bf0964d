package provisioning

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Submission is a tenant whose provisioning a worker is going to do.
type Submission struct {
	Tenant    tenant.Tenant
	JobID     string
	Continued bool // It was begun earlier and never went live.
	Replayed  bool // The same request came before; this is its answer.
}

// Idempotency makes the repetition of a request answer as the first did, for
// IdempotencyTTL, also when both arrive at once.
type Idempotency struct {
	Scope string            // Whose key it is; keys of others are other keys.
	Key   string            // Chosen by the caller, 1 to 255 characters.
	Hash  [sha256.Size]byte // Of the request's content.
}

// IdempotencyTTL is how long a request is remembered.
const IdempotencyTTL = 24 * time.Hour

// JobState is how far a job is.
type JobState string

// The states of a job.
const (
	JobQueued    JobState = "queued"    // No worker has begun it yet.
	JobRunning   JobState = "running"   // A worker is at it.
	JobRetrying  JobState = "retrying"  // An attempt failed; the next is due later.
	JobCompleted JobState = "completed" // The tenant is ACTIVE.
	JobFailed    JobState = "failed"    // The tenant is FAILED, or was given up.
)

// Job is the work that a submission began.
type Job struct {
	ID          string
	TenantID    uuid.UUID
	State       JobState
	Attempt     int // Attempts begun.
	MaxAttempts int
	Error       string // Of the last attempt that failed; for people.
	CreatedAt   time.Time
	ScheduledAt time.Time // When the next attempt is due.
	FinishedAt  time.Time
}

// Jobs is what an entrance needs of the queue.
type Jobs interface {
	// Job returns KindNotFound for an unknown id, and for a job that ended so long
	// ago that the queue has forgotten it.
	Job(ctx context.Context, id string) (Job, error)
}
