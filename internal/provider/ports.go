package provider

import (
	"context"
	"io/fs"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/apiclient"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/publish"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// tenantService has all operations on tenants that resources need. app.Services works in
// this process, apiclient.Client through a running tenant-api; both behave the same.
type tenantService interface {
	tenantProvisioner
	tenantLookup
	tenantMover
	tenantSuspender
	tenantInspector
	credentialService
}

// tenantProvisioner runs the provisioning pipeline.
type tenantProvisioner interface {
	Provision(ctx context.Context, in tenant.Inputs) (provisioning.Outcome, error)
	Retry(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
	Invite(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
}

// tenantLookup reads tenants and their provisioning logs.
type tenantLookup interface {
	Get(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	FindByName(ctx context.Context, name string) (tenant.Tenant, error)
	FindByExternalID(ctx context.Context, externalID string) (tenant.Tenant, error)
	List(ctx context.Context, q tenant.ListQuery) (tenant.Page, error)
	All(ctx context.Context, q tenant.ListQuery) iter.Seq2[tenant.Tenant, error]
	Log(ctx context.Context, id uuid.UUID, all bool) ([]tenant.LogEntry, error)
	RegistryIdentity(ctx context.Context) (provisioning.RegistryIdentity, error)
}

// tenantMover changes tenants and moves them between statuses.
type tenantMover interface {
	Update(ctx context.Context, id uuid.UUID, in tenant.Inputs, version int64) (tenant.Tenant, error)
	Archive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	Unarchive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	CheckPurge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) error
	SkipUndo(ctx context.Context, id uuid.UUID, steps []string, reason string) error
	Purge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) (provisioning.PurgeCertificate, error)
}

// tenantSuspender takes tenants out of service for a time, and sets and clears legal holds.
type tenantSuspender interface {
	Suspend(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
	Resume(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	SetHold(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error)
	ClearHold(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error)
}

// tenantInspector reads the state of tenants in database and ledger, and repairs drift.
type tenantInspector interface {
	Inspect(ctx context.Context, ids []uuid.UUID) ([]inspection.Inspection, error)
	ReconcileContract(ctx context.Context, id uuid.UUID) error
	Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error)
}

// credentialService opens, renews and closes logins.
type credentialService interface {
	OpenCredential(ctx context.Context, tenant uuid.UUID, r credentials.Request) (credentials.Credential, error)
	RenewCredential(ctx context.Context, tenant, id uuid.UUID, ttl time.Duration) (time.Time, error)
	CloseCredential(ctx context.Context, tenant, id uuid.UUID) error
}

// blueprintService publishes and reads blueprints: in the registry, or through a tenant-api.
type blueprintService interface {
	Publish(ctx context.Context, files fs.FS, activate bool) (blueprint.Revision, error)
	Retire(ctx context.Context, name string) error
	List(ctx context.Context) ([]blueprint.Status, error)
	Get(ctx context.Context, name string) (blueprint.Status, error)
}

var (
	_ tenantService    = (*app.Services)(nil)
	_ tenantService    = (*apiclient.Client)(nil)
	_ blueprintService = (*publish.Blueprints)(nil)
	_ blueprintService = (*apiclient.Blueprints)(nil)
)
