package tenant

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// Step is one of the seven steps of provisioning.
type Step string

// The steps, in the order in which they run.
const (
	StepCreateTenantRecord    Step = "CREATE_TENANT_RECORD"
	StepCreateSchema          Step = "CREATE_SCHEMA"
	StepRunMigrations         Step = "RUN_MIGRATIONS"
	StepSeedRolesAndUser      Step = "SEED_ROLES_AND_USER"
	StepDeploySorobanContract Step = "DEPLOY_SOROBAN_CONTRACT"
	StepStoreContractAddress  Step = "STORE_CONTRACT_ADDRESS"
	StepSendWelcomeEmail      Step = "SEND_WELCOME_EMAIL"
)

// steps are the seven steps in order.
var steps = []Step{
	StepCreateTenantRecord, StepCreateSchema, StepRunMigrations, StepSeedRolesAndUser,
	StepDeploySorobanContract, StepStoreContractAddress, StepSendWelcomeEmail,
}

// Steps lists the seven steps in order.
func Steps() []Step { return slices.Clone(steps) }

// Index is the position of the step, 0 to 6; -1 for an unknown name.
func (s Step) Index() int { return slices.Index(steps, s) }

// StepStatus is the state of one step of one attempt.
type StepStatus string

// The states of a step.
const (
	StepPending    StepStatus = "PENDING"
	StepInProgress StepStatus = "IN_PROGRESS"
	StepCompleted  StepStatus = "COMPLETED"
	StepFailed     StepStatus = "FAILED"
	StepRolledBack StepStatus = "ROLLED_BACK"
	StepSkipped    StepStatus = "SKIPPED" // The tenant does not need this step.
)

// StepRecord is the outcome of one step, as a run writes it into the log.
type StepRecord struct {
	Step     Step
	Status   StepStatus
	Result   map[string]any // The result, small and without secrets; stored as JSON.
	Error    string         // Sanitized, at most MaxErrorLength characters.
	Duration time.Duration
}

// Durations are the durations of single steps, also of those that share a transaction.
type Durations map[Step]time.Duration

// LogEntry is one row of a tenant's provisioning log: one for each attempt and step.
type LogEntry struct {
	ID        uuid.UUID
	TenantID  uuid.UUID
	Attempt   int
	TraceID   string // Of the trace of the tenant's provisioning, as 32 hexadecimal digits; empty: none.
	CreatedAt time.Time
	Change    int64 // Increases with each change of a row of the tenant: a follower continues after it.
	StepRecord
}
