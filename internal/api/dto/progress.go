package dto

import (
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// LogEntry is a row of a tenant's provisioning log.
type LogEntry struct {
	ID         uuid.UUID      `json:"id" format:"uuid"`
	Step       string         `json:"step" pattern:"^[A-Z][A-Z0-9_]{2,62}$" doc:"CREATE_TENANT_RECORD, CREATE_SCHEMA, RUN_MIGRATIONS, SEED_ROLES_AND_USER, DEPLOY_SOROBAN_CONTRACT, STORE_CONTRACT_ADDRESS, SEND_WELCOME_EMAIL, or an own step of the blueprint." example:"CREATE_SCHEMA"`
	Status     string         `json:"status" enum:"PENDING,IN_PROGRESS,COMPLETED,FAILED,ROLLED_BACK,SKIPPED"`
	Result     map[string]any `json:"result" nullable:"true" doc:"The result of the step."`
	Error      *string        `json:"error" doc:"Why the step failed or is retried; for display."`
	DurationMs *int64         `json:"durationMs" minimum:"0" doc:"Null until the step has ended."`
	Attempt    int            `json:"attempt" minimum:"1"`
	TraceID    *string        `json:"traceId" pattern:"^[0-9a-f]{32}$" doc:"The trace of the tenant's provisioning; null: none." example:"4bf92f3577b34da6a3ce929d0e0e4736"`
	CreatedAt  time.Time      `json:"createdAt"`
	Change     int64          `json:"change" minimum:"0" doc:"Increases with each change of a row of the tenant; it is the id of the event, for Last-Event-ID."`
}

// NewLogEntry converts a row to JSON.
func NewLogEntry(e tenant.LogEntry) LogEntry {
	v := LogEntry{
		ID: e.ID, Step: string(e.Step), Status: string(e.Status), Result: e.Result, Error: Text(e.Error),
		Attempt: e.Attempt, TraceID: Text(e.TraceID), CreatedAt: e.CreatedAt.UTC(), Change: e.Change,
	}
	if e.Status != tenant.StepPending && e.Status != tenant.StepInProgress {
		ms := Milliseconds(e.Duration)
		v.DurationMs = &ms
	}
	return v
}

// NewLog converts a log to JSON.
func NewLog(entries []tenant.LogEntry) []LogEntry {
	all := make([]LogEntry, len(entries))
	for i, e := range entries {
		all[i] = NewLogEntry(e)
	}
	return all
}

// LogEntry converts back to the row of a tenant; its duration is rounded to milliseconds.
func (v LogEntry) LogEntry(tenantID uuid.UUID) tenant.LogEntry {
	return tenant.LogEntry{
		ID: v.ID, TenantID: tenantID, Attempt: v.Attempt, CreatedAt: v.CreatedAt, Change: v.Change,
		StepRecord: tenant.StepRecord{
			Step: tenant.Step(v.Step), Status: tenant.StepStatus(v.Status), Result: v.Result, Error: value(v.Error),
			Duration: time.Duration(value(v.DurationMs)) * time.Millisecond,
		},
	}
}

// Progress is the progress of a tenant's provisioning.
type Progress struct {
	TenantID      uuid.UUID  `json:"tenantId" format:"uuid"`
	TenantName    string     `json:"tenantName"`
	OverallStatus string     `json:"overallStatus" enum:"PENDING,PROVISIONING,ACTIVE,SUSPENDED,FAILED,ARCHIVED"`
	Logs          []LogEntry `json:"logs" nullable:"false" doc:"The newest attempt, or all, in the order of attempts and steps."`
	CreatedAt     time.Time  `json:"createdAt"`
	UpdatedAt     time.Time  `json:"updatedAt"`
	CompletedAt   *time.Time `json:"completedAt" doc:"When the attempt ended; null while it runs."`
}

// StepEvent is the event of a change of a step in the stream of a run.
type StepEvent struct {
	Step       string  `json:"step" pattern:"^[A-Z][A-Z0-9_]{2,62}$" doc:"CREATE_TENANT_RECORD, CREATE_SCHEMA, RUN_MIGRATIONS, SEED_ROLES_AND_USER, DEPLOY_SOROBAN_CONTRACT, STORE_CONTRACT_ADDRESS, SEND_WELCOME_EMAIL, or an own step of the blueprint." example:"CREATE_SCHEMA"`
	Status     string  `json:"status" enum:"PENDING,IN_PROGRESS,COMPLETED,FAILED,ROLLED_BACK,SKIPPED"`
	Attempt    int     `json:"attempt" minimum:"1"`
	DurationMs float64 `json:"durationMs" minimum:"0" doc:"Duration of a step that has ended."`
	Message    string  `json:"message" doc:"Why the step failed or is retried; for display."`
	TraceID    *string `json:"traceId" pattern:"^[0-9a-f]{32}$" doc:"The trace of the tenant's provisioning; null: none." example:"4bf92f3577b34da6a3ce929d0e0e4736"`
}

// NewStepEvent converts an event to JSON.
func NewStepEvent(e provisioning.Event) StepEvent {
	return StepEvent{
		Step: string(e.Step), Status: string(e.Status), Attempt: e.Attempt, Message: e.Message, TraceID: Text(e.TraceID),
		DurationMs: float64(e.Duration.Microseconds()) / 1000,
	}
}

// Event converts back to the event of a tenant.
func (v StepEvent) Event(t tenant.Tenant) provisioning.Event {
	return provisioning.Event{
		Tenant: t, Attempt: v.Attempt, Step: tenant.Step(v.Step), Status: tenant.StepStatus(v.Status), Message: v.Message,
		Duration: time.Duration(v.DurationMs * float64(time.Millisecond)),
	}
}

// OutcomeEvent is the last event of a run that succeeded.
type OutcomeEvent struct {
	Tenant    Tenant `json:"tenant"`
	Continued bool   `json:"continued" doc:"The provisioning of an existing tenant was continued."`
	Adopted   bool   `json:"adopted" doc:"A live tenant with the same managedBy and inputs was adopted."`
	// Unarchived is Outcome.Unarchived.
	Unarchived bool     `json:"unarchived" doc:"The archived tenant with this externalId was brought back."`
	Warnings   []string `json:"warnings" nullable:"false"`
}

// NewOutcomeEvent converts an outcome to JSON.
func NewOutcomeEvent(o provisioning.Outcome) OutcomeEvent {
	return OutcomeEvent{Tenant: NewTenant(o.Tenant), Continued: o.Continued, Adopted: o.Adopted, Unarchived: o.Unarchived, Warnings: List(o.Warnings)}
}

// Outcome converts back to the domain type.
func (v OutcomeEvent) Outcome() provisioning.Outcome {
	o := provisioning.Outcome{Tenant: v.Tenant.Tenant(), Continued: v.Continued, Adopted: v.Adopted, Unarchived: v.Unarchived}
	if len(v.Warnings) > 0 {
		o.Warnings = v.Warnings
	}
	return o
}
