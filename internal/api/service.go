package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/events"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Service is all that the API offers; app.Services is one. Its parts are the ports of
// the handlers. The errors are those that the methods of the services name.
type Service interface {
	Provisioner
	TenantReader
	TenantMover
	Suspender
	Holder
	PurgeChecker
	Onboarding
	Inspector
	Credentials
	audit.Log
}

// Provisioner creates tenants, in the queue or inside the request.
type Provisioner interface {
	Submit(ctx context.Context, in tenant.Inputs, idem *provisioning.Idempotency) (provisioning.Submission, error)
	CheckInputs(ctx context.Context, in tenant.Inputs) error
	SubmitRetry(ctx context.Context, id uuid.UUID) (provisioning.Submission, error)
	Provision(ctx context.Context, in tenant.Inputs) (provisioning.Outcome, error)
	Retry(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
}

// TenantReader reads tenants and their logs.
type TenantReader interface {
	Get(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	FindByName(ctx context.Context, name string) (tenant.Tenant, error)
	FindByExternalID(ctx context.Context, externalID string) (tenant.Tenant, error)
	List(ctx context.Context, q tenant.ListQuery) (tenant.Page, error)
	Log(ctx context.Context, id uuid.UUID, all bool) ([]tenant.LogEntry, error)
	Changes(ctx context.Context, id uuid.UUID, after int64) (events.Changes, error)
	RegistryIdentity(ctx context.Context) (provisioning.RegistryIdentity, error)
}

// TenantMover changes tenants and moves them between statuses.
type TenantMover interface {
	Patch(ctx context.Context, id uuid.UUID, p provisioning.Patch, version int64) (tenant.Tenant, error)
	Archive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	Unarchive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	Purge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) (provisioning.PurgeCertificate, error)
	Invite(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
	SkipUndo(ctx context.Context, id uuid.UUID, steps []string, reason string) error
	SubmitMove(ctx context.Context, id uuid.UUID, r provisioning.MoveRequest) (provisioning.Submission, error)
}

// Suspender takes tenants out of service for a time.
type Suspender interface {
	Suspend(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
	Resume(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
}

// Holder sets and clears legal holds.
type Holder interface {
	SetHold(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error)
	ClearHold(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error)
}

// PurgeChecker says before anything is changed whether a tenant can be purged.
type PurgeChecker interface {
	CheckPurge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) error
}

// Onboarding is for those who hold an invitation.
type Onboarding interface {
	InspectInvitation(ctx context.Context, token string) (provisioning.InvitedView, error)
	AcceptInvitation(ctx context.Context, token string, password tenant.Password) (tenant.Tenant, error)
	RenewInvitation(ctx context.Context, token string) (provisioning.Outcome, error)
}

// Inspector reads the state of tenants in database and ledger, and repairs it.
type Inspector interface {
	Inspect(ctx context.Context, ids []uuid.UUID) ([]inspection.Inspection, error)
	ReconcileContract(ctx context.Context, id uuid.UUID) error
	Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error)
}

// Credentials opens, lists and closes logins.
type Credentials interface {
	ListLogins(ctx context.Context, tenant uuid.UUID, all bool) ([]credentials.Login, error)
	OpenCredential(ctx context.Context, tenant uuid.UUID, r credentials.Request) (credentials.Credential, error)
	RenewCredential(ctx context.Context, tenant, id uuid.UUID, ttl time.Duration) (time.Time, error)
	CloseCredential(ctx context.Context, tenant, id uuid.UUID) error
}
