package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/events"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Service is what the API does; *provisioning.Service is one. The errors are
// those that its methods name.
type Service interface {
	Submit(ctx context.Context, in tenant.Inputs, idem *provisioning.Idempotency) (provisioning.Submission, error)
	SubmitRetry(ctx context.Context, id uuid.UUID) (provisioning.Submission, error)
	Provision(ctx context.Context, in tenant.Inputs) (provisioning.Outcome, error)
	Retry(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
	Invite(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)

	Get(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	FindByName(ctx context.Context, name string) (tenant.Tenant, error)
	FindByExternalID(ctx context.Context, externalID string) (tenant.Tenant, error)
	List(ctx context.Context, q tenant.ListQuery) (tenant.Page, error)
	Log(ctx context.Context, id uuid.UUID, all bool) ([]tenant.LogEntry, error)
	Changes(ctx context.Context, id uuid.UUID, after int64) (events.Changes, error)

	Patch(ctx context.Context, id uuid.UUID, p provisioning.Patch, version int64) (tenant.Tenant, error)
	Archive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	Unarchive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	Purge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) (tenant.PurgeCertificate, error)

	Inspect(ctx context.Context, ids []uuid.UUID) ([]provisioning.Inspection, error)
	ReconcileContract(ctx context.Context, id uuid.UUID) error
	Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error)

	OpenCredential(ctx context.Context, tenant uuid.UUID, ttl time.Duration) (provisioning.Credential, error)
	RenewCredential(ctx context.Context, tenant, id uuid.UUID, ttl time.Duration) (time.Time, error)
	CloseCredential(ctx context.Context, tenant, id uuid.UUID) error

	Record(ctx context.Context, events ...audit.Event) error
	Events(ctx context.Context, tenant uuid.UUID, after int64, limit int) ([]audit.Event, error)
}

var _ Service = (*provisioning.Service)(nil)
