package provisioning

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Submission is a tenant that is queued for a worker, for its provisioning or a move.
type Submission struct {
	Tenant    tenant.Tenant
	JobID     string
	Continued bool // The tenant existed and never went live.
	Replayed  bool // A repeated request: this is the response to the first one.
}

// Idempotency identifies a request. A repetition within IdempotencyTTL returns the
// response to the first one, also when both arrive at once.
type Idempotency struct {
	Scope string            // The caller: equal keys of different callers are different keys.
	Key   string            // Chosen by the caller, 1 to 255 characters.
	Hash  [sha256.Size]byte // Of the request's content.
}

// IdempotencyTTL is how long an idempotency key is kept.
const IdempotencyTTL = 24 * time.Hour

// JobState is the state of a job.
type JobState string

// The states of a job.
const (
	JobQueued    JobState = "queued"    // No worker has started it yet.
	JobRunning   JobState = "running"   // A worker is running it.
	JobRetrying  JobState = "retrying"  // An attempt failed; the next is due later.
	JobCompleted JobState = "completed" // The tenant is ACTIVE, or the move is done.
	JobFailed    JobState = "failed"    // The tenant is FAILED, its provisioning was aborted, or the move was not possible.
)

// Job is the queued work on one tenant: its provisioning, or a move.
type Job struct {
	ID          string
	TenantID    uuid.UUID
	Move        Move // Empty: its provisioning.
	State       JobState
	Attempt     int // Attempts started.
	MaxAttempts int
	Error       string // Of the last failed attempt; for people.
	CreatedAt   time.Time
	ScheduledAt time.Time // When the next attempt is due.
	FinishedAt  time.Time
}

// Jobs reads jobs.
type Jobs interface {
	// Job returns KindNotFound for an unknown id, and for a job that ended and was
	// deleted from the queue since.
	Job(ctx context.Context, id string) (Job, error)
}
