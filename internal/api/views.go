package api

import (
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// What the API shows, field for field. What is not there yet is null, not absent.

type tenantSummary struct {
	ID         uuid.UUID `json:"id" format:"uuid" doc:"Identifies the tenant for good."`
	Name       string    `json:"name" example:"St. Mary's Clinic"`
	Status     string    `json:"status" enum:"PENDING,PROVISIONING,ACTIVE,SUSPENDED,FAILED,ARCHIVED"`
	AdminEmail string    `json:"adminEmail" example:"ada@st-marys.example"`
	CreatedAt  time.Time `json:"createdAt"`
}

func tenantSummaryOf(t tenant.Tenant) tenantSummary {
	return tenantSummary{ID: t.ID, Name: t.Name, Status: string(t.Status), AdminEmail: t.AdminEmail, CreatedAt: t.CreatedAt.UTC()}
}

type tenantPage struct {
	Total      int64           `json:"total" minimum:"0" doc:"Tenants on all pages."`
	Tenants    []tenantSummary `json:"tenants" nullable:"false" doc:"Newest first."`
	NextCursor string          `json:"nextCursor,omitempty" doc:"The cursor of the next page; absent on the last one."`
}

type tenantView struct {
	ID                 uuid.UUID         `json:"id" format:"uuid" doc:"Identifies the tenant for good."`
	Name               string            `json:"name" example:"St. Mary's Clinic"`
	SchemaName         string            `json:"schemaName" doc:"The PostgreSQL schema with the tenant's data." example:"st_mary_s_clinic_1767225600000"`
	DatabaseRole       string            `json:"databaseRole" doc:"The PostgreSQL role that reaches this schema and nothing else."`
	Status             string            `json:"status" enum:"PENDING,PROVISIONING,ACTIVE,SUSPENDED,FAILED,ARCHIVED"`
	AdminEmail         string            `json:"adminEmail" example:"ada@st-marys.example"`
	AdminFirstName     string            `json:"adminFirstName" example:"Ada"`
	AdminLastName      string            `json:"adminLastName" example:"Lovelace"`
	SorobanContractID  *string           `json:"sorobanContractId" doc:"The tenant's contract on the Stellar network; null until it is deployed and verified."`
	ProvisioningError  *string           `json:"provisioningError" doc:"Why the last attempt failed, for people."`
	ExternalID         *string           `json:"externalId" doc:"The caller's own key."`
	ManagedBy          *string           `json:"managedBy" doc:"Who manages the tenant."`
	Metadata           map[string]string `json:"metadata" nullable:"false"`
	WelcomeEmailStatus string            `json:"welcomeEmailStatus" enum:"PENDING,SENT,FAILED"`
	Attempt            int               `json:"attempt" minimum:"1" doc:"Provisioning attempts so far."`
	Version            int64             `json:"version" minimum:"1" doc:"Grows with each change; the ETag."`
	CreatedAt          time.Time         `json:"createdAt"`
	UpdatedAt          time.Time         `json:"updatedAt"`
	ActivatedAt        *time.Time        `json:"activatedAt" doc:"When it first went live."`
	ArchivedAt         *time.Time        `json:"archivedAt"`
	PurgedAt           *time.Time        `json:"purgedAt" doc:"When its schema and role were dropped."`
}

func tenantViewOf(t tenant.Tenant) tenantView {
	v := tenantView{
		ID: t.ID, Name: t.Name, SchemaName: t.SchemaName, DatabaseRole: t.DatabaseRole, Status: string(t.Status),
		AdminEmail: t.AdminEmail, AdminFirstName: t.AdminFirstName, AdminLastName: t.AdminLastName,
		SorobanContractID: nullIfEmpty(t.ContractID), ProvisioningError: nullIfEmpty(t.ProvisioningError),
		ExternalID: nullIfEmpty(t.ExternalID), ManagedBy: nullIfEmpty(t.ManagedBy), Metadata: t.Metadata,
		WelcomeEmailStatus: string(t.WelcomeEmail), Attempt: t.Attempt, Version: t.Version,
		CreatedAt: t.CreatedAt.UTC(), UpdatedAt: t.UpdatedAt.UTC(),
		ActivatedAt: nullableTime(t.ActivatedAt), ArchivedAt: nullableTime(t.ArchivedAt), PurgedAt: nullableTime(t.PurgedAt),
	}
	if v.Metadata == nil {
		v.Metadata = map[string]string{}
	}
	return v
}

type submissionView struct {
	JobID    string    `json:"jobId" doc:"See GET /jobs/{jobId}." example:"4711"`
	Status   string    `json:"status" enum:"queued"`
	Message  string    `json:"message" example:"Tenant provisioning for St. Mary's Clinic has been queued"`
	TenantID uuid.UUID `json:"tenantId" format:"uuid"`
}

type logView struct {
	ID         uuid.UUID      `json:"id" format:"uuid"`
	Step       string         `json:"step" enum:"CREATE_TENANT_RECORD,CREATE_SCHEMA,RUN_MIGRATIONS,SEED_ROLES_AND_USER,DEPLOY_SOROBAN_CONTRACT,STORE_CONTRACT_ADDRESS,SEND_WELCOME_EMAIL"`
	Status     string         `json:"status" enum:"PENDING,IN_PROGRESS,COMPLETED,FAILED,ROLLED_BACK,SKIPPED"`
	Result     map[string]any `json:"result" nullable:"true" doc:"What came of the step."`
	Error      *string        `json:"error" doc:"Why it failed, or is tried again; for people."`
	DurationMs *int64         `json:"durationMs" minimum:"0" doc:"Null until the step has ended."`
	Attempt    int            `json:"attempt" minimum:"1"`
	CreatedAt  time.Time      `json:"createdAt"`
}

func logViewOf(e tenant.LogEntry) logView {
	v := logView{
		ID: e.ID, Step: string(e.Step), Status: string(e.Status), Result: e.Result, Error: nullIfEmpty(e.Error),
		Attempt: e.Attempt, CreatedAt: e.CreatedAt.UTC(),
	}
	if e.Status != tenant.StepPending && e.Status != tenant.StepInProgress {
		ms := milliseconds(e.Duration)
		v.DurationMs = &ms
	}
	return v
}

type progressView struct {
	TenantID      uuid.UUID  `json:"tenantId" format:"uuid"`
	TenantName    string     `json:"tenantName"`
	OverallStatus string     `json:"overallStatus" enum:"PENDING,PROVISIONING,ACTIVE,SUSPENDED,FAILED,ARCHIVED"`
	Logs          []logView  `json:"logs" nullable:"false" doc:"The newest attempt, in the order of the steps."`
	CreatedAt     time.Time  `json:"createdAt"`
	UpdatedAt     time.Time  `json:"updatedAt"`
	CompletedAt   *time.Time `json:"completedAt" doc:"When the attempt ended; null while it runs."`
}

type archivedView struct {
	Status  string `json:"status" enum:"archived"`
	Message string `json:"message"`
}

type invitedView struct {
	Status             string   `json:"status" enum:"sent,failed"`
	WelcomeEmailStatus string   `json:"welcomeEmailStatus" enum:"PENDING,SENT,FAILED" doc:"PENDING: it is tried again by itself."`
	Message            string   `json:"message"`
	Warnings           []string `json:"warnings" nullable:"false" doc:"Why it could not be sent."`
}

type callerView struct {
	Kind      string  `json:"kind" enum:"apikey,oidc,anonymous,terraform,command,process"`
	ID        *string `json:"id" doc:"A key's prefix, a token's subject."`
	Name      *string `json:"name"`
	Address   *string `json:"address"`
	RequestID *string `json:"requestId"`
}

func callerViewOf(c audit.Caller) callerView {
	return callerView{Kind: string(c.Kind), ID: nullIfEmpty(c.ID), Name: nullIfEmpty(c.Name), Address: nullIfEmpty(c.Address), RequestID: nullIfEmpty(c.RequestID)}
}

type certificateView struct {
	TenantID          uuid.UUID        `json:"tenantId" format:"uuid"`
	Name              string           `json:"name"`
	SchemaName        string           `json:"schemaName"`
	SorobanContractID *string          `json:"sorobanContractId"`
	ArchivedAt        time.Time        `json:"archivedAt"`
	PurgedAt          time.Time        `json:"purgedAt"`
	Rows              map[string]int64 `json:"rows" nullable:"false" doc:"Rows deleted, by table."`
	AuditHead         *string          `json:"auditHead" doc:"The last hash of the tenant's own audit log, hex."`
	By                callerView       `json:"by" doc:"Who wanted it."`
}

func certificateViewOf(c tenant.PurgeCertificate) certificateView {
	v := certificateView{
		TenantID: c.TenantID, Name: c.Name, SchemaName: c.SchemaName, SorobanContractID: nullIfEmpty(c.ContractID),
		ArchivedAt: c.ArchivedAt.UTC(), PurgedAt: c.PurgedAt.UTC(), Rows: c.Rows, AuditHead: nullIfEmpty(c.AuditHead), By: callerViewOf(c.By),
	}
	if v.Rows == nil {
		v.Rows = map[string]int64{}
	}
	return v
}

// nullIfEmpty is null for nothing.
func nullIfEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// nullableTime is null for what has not happened.
func nullableTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func milliseconds(d time.Duration) int64 {
	return int64(math.Round(float64(d) / float64(time.Millisecond)))
}
