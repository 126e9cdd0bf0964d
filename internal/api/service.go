package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Service is what the API does; *provisioning.Service is one. The errors are
// those that its methods name.
type Service interface {
	Submit(ctx context.Context, in provisioning.Inputs, idem *provisioning.Idempotency) (provisioning.Submission, error)
	Retry(ctx context.Context, id uuid.UUID) (provisioning.Submission, error)
	Provision(ctx context.Context, in provisioning.Inputs) (provisioning.Outcome, error)
	Resume(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
	ResendWelcome(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)

	Get(ctx context.Context, id uuid.UUID) (provisioning.Tenant, error)
	FindByName(ctx context.Context, name string) (provisioning.Tenant, error)
	FindByExternalID(ctx context.Context, externalID string) (provisioning.Tenant, error)
	List(ctx context.Context, q provisioning.ListQuery) (provisioning.Page, error)
	Log(ctx context.Context, id uuid.UUID, all bool) ([]provisioning.LogEntry, error)
	Changes(ctx context.Context, id uuid.UUID, after int64) (provisioning.Changes, error)

	Patch(ctx context.Context, id uuid.UUID, p provisioning.Patch, version int64) (provisioning.Tenant, error)
	Archive(ctx context.Context, id uuid.UUID) (provisioning.Tenant, error)
	Restore(ctx context.Context, id uuid.UUID) (provisioning.Tenant, error)
	Purge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) (provisioning.PurgeCertificate, error)

	Inspect(ctx context.Context, ids []uuid.UUID) ([]provisioning.Inspection, error)
	RenewContract(ctx context.Context, id uuid.UUID) error
	Repair(ctx context.Context, id uuid.UUID) (provisioning.Tenant, []string, error)

	OpenCredential(ctx context.Context, tenant uuid.UUID, ttl time.Duration) (provisioning.Credential, error)
	RenewCredential(ctx context.Context, tenant, id uuid.UUID, ttl time.Duration) (time.Time, error)
	CloseCredential(ctx context.Context, tenant, id uuid.UUID) error

	Record(ctx context.Context, events ...provisioning.AuditEvent) error
	AuditEvents(ctx context.Context, tenant uuid.UUID, after int64, limit int) ([]provisioning.AuditEvent, error)
}

var _ Service = (*provisioning.Service)(nil)
