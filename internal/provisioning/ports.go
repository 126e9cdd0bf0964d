package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/events"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// CreationStore records new tenants. Every method of the stores can also return
// KindTransient when the registry does not answer.
type CreationStore interface {
	// Create records and claims the draft, or finds the tenant that stands where it
	// would go. Record, first log row and claim commit together. See Creation for
	// the outcomes. KindConflict when a run holds the tenant of that name (then
	// Error.Lease is set) or the queue owes it an end. When name and external id
	// belong to two different tenants that is KindConflict. A tenant that is continued
	// has the draft's password from then on, or none if the draft has none.
	Create(ctx context.Context, d tenant.Draft, lease LeaseRequest) (Creation, error)
	// Submit records the draft and queues its provisioning, in one transaction. A
	// tenant of that name or external id that ended without ever being live is
	// queued again, as the draft wants it. With idem, the same request gives the
	// same answer again, refusals included. KindConflict when the name or the
	// external id is taken; KindReused when idem came with another request before.
	Submit(ctx context.Context, d tenant.Draft, idem *Idempotency) (Submission, error)
	// Requeue queues a tenant that is FAILED, ARCHIVED without ever being live, or
	// unfinished and nobody's work. KindConflict for every other one.
	Requeue(ctx context.Context, id uuid.UUID) (Submission, error)
}

// TenantStore reads tenants and their logs.
type TenantStore interface {
	// Get returns KindNotFound for an unknown id.
	Get(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	// FindByName finds the live tenant of that name, ignoring case, else the one
	// archived last. KindNotFound when there is neither.
	FindByName(ctx context.Context, name string) (tenant.Tenant, error)
	// FindByExternalID finds the tenant that has the key, else the one that had it and
	// was purged last. KindNotFound for an unknown key.
	FindByExternalID(ctx context.Context, externalID string) (tenant.Tenant, error)
	// List gives a page of tenants.
	List(ctx context.Context, q tenant.ListQuery) (tenant.Page, error)
	// Log gives the rows of the newest attempt, or of all, in order.
	Log(ctx context.Context, id uuid.UUID, all bool) ([]tenant.LogEntry, error)
	// Changes gives what changed in a tenant's log since a point of it, 0 for all.
	Changes(ctx context.Context, id uuid.UUID, after int64) (events.Changes, error)
}

// MoveStore changes tenants and moves them between statuses.
type MoveStore interface {
	// Update changes what a caller may change, also of the admin user in the
	// tenant's schema. With a password, a live tenant's open invitations end: each
	// would let somebody choose another one. KindConflict for a name or e-mail that
	// is taken, KindStale when version is not 0 and not the stored one.
	Update(ctx context.Context, id uuid.UUID, in tenant.Inputs, version int64) (tenant.Tenant, error)
	// Archive takes an ACTIVE tenant out of service; of an ARCHIVED one it changes
	// nothing. Any other status is KindConflict: it wants Abort.
	Archive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	// Abort claims a tenant that is not live, over the head of whoever runs it, and
	// notes that it is to be rolled back and archived. The run that is returned
	// has Undo set. KindConflict when the tenant is ACTIVE or ARCHIVED by now.
	Abort(ctx context.Context, id uuid.UUID, lease LeaseRequest) (Run, error)
	// Unarchive takes an ARCHIVED tenant that was live back into service; of an ACTIVE
	// one it changes nothing. KindConflict when its name is taken meanwhile, when
	// it was purged or never live.
	Unarchive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	// Purge drops schema and role of a tenant that has been ARCHIVED for longer than
	// the retention, and keeps a certificate; of a purged one it gives that again.
	Purge(ctx context.Context, id uuid.UUID, retention time.Duration) (PurgeCertificate, error)
}

// InvitationStore invites the administrators of live tenants.
type InvitationStore interface {
	// CreateInvitation gives the admin of an ACTIVE tenant another invitation, and the
	// serial of the welcome mail that is to carry it.
	CreateInvitation(ctx context.Context, id uuid.UUID, inv invitation.Invitation) (tenant.Tenant, int, error)
	// RecordWelcome notes what became of an ACTIVE tenant's welcome mail.
	RecordWelcome(ctx context.Context, id uuid.UUID, status tenant.WelcomeEmailStatus, record tenant.StepRecord) (tenant.Tenant, error)
}

// Creation is the outcome of Registry.Create. Either Run is set: the tenant is
// claimed for the caller, newly recorded or, with Continued, one of that name (or
// external id) that never went live. Or Tenant is one that went live before.
type Creation struct {
	Tenant    tenant.Tenant
	Run       *Run
	Continued bool
}

// LeaseRequest says who claims a tenant and for how long.
type LeaseRequest struct {
	Owner string        // Host, process and a random part; shown to others.
	TTL   time.Duration // After that much silence another run may take over.
}

// ClaimMode says what a claim may do besides continuing work in progress.
type ClaimMode int

// The modes of a claim.
const (
	// ClaimResume continues PENDING and PROVISIONING tenants.
	ClaimResume ClaimMode = iota
	// ClaimRetry also begins a new attempt for FAILED ones and for ARCHIVED ones
	// that never were live.
	ClaimRetry
)

// Run is a claimed tenant. Epoch is the fence: every write carries it, and the
// registry refuses (KindFenced) what carries an old one.
type Run struct {
	Tenant     tenant.Tenant
	Owner      string
	Epoch      int64
	Checkpoint tenant.Step // The last step that is completed.
	Rollback   Rollback    // Not empty: a rollback has begun and must be finished first.
	AdminUser  uuid.UUID
	MailSerial int           // Which welcome mail this is; part of its Message-ID.
	Recorded   time.Duration // What CREATE_TENANT_RECORD of this attempt took, as the log has it.
}

// Rollback says how a rollback ends.
type Rollback string

// The ways in which a rollback ends.
const (
	RollbackNone       Rollback = ""
	RollbackToFailed   Rollback = "FAILED"   // The attempt failed: the tenant becomes FAILED.
	RollbackToArchived Rollback = "ARCHIVED" // Somebody gave up the tenant: it becomes ARCHIVED.
)

// Runs is all that a Pipeline needs of the registry. Methods that take a Run return
// KindFenced when its epoch is no longer the tenant's.
type Runs interface {
	LeaseStore
	StepStore
	RollbackStore
}

// LeaseStore claims tenants for runs.
type LeaseStore interface {
	// Claim takes the tenant. KindNotFound; KindConflict when it is leased
	// (Error.Lease is set), or in a status in which the mode permits no run.
	Claim(ctx context.Context, id uuid.UUID, mode ClaimMode, lease LeaseRequest) (Run, error)
	// Renew extends the lease of the run and of the Stellar accounts it holds.
	Renew(ctx context.Context, r Run, ttl time.Duration) error
	// Release gives the tenant back unfinished, for anyone to continue. records say
	// why, when it was a fault.
	Release(ctx context.Context, r Run, records ...tenant.StepRecord) error
}

// StepStore does the database steps and records all of them.
type StepStore interface {
	// PrepareSchema is the one seam for CREATE_SCHEMA, RUN_MIGRATIONS and
	// SEED_ROLES_AND_USER: it gives the tenant a schema at the newest version, with
	// its role, its rows and the admin's invitation, in one transaction with
	// checkpoint and log. The admin, with or without a password, is the one that the
	// registry names at that moment. Repeated with the same seed after a lost answer it is success.
	// It returns what each of the three steps took, as the log has it.
	PrepareSchema(ctx context.Context, r Run, seed Seed) (tenant.Durations, error)
	// AddInvitation adds an invitation to the tenant's admin, beside earlier ones.
	AddInvitation(ctx context.Context, r Run, inv invitation.Invitation) error
	// Journal remembers the Stellar transactions of this run.
	Journal(r Run) txlog.Log
	// Advance writes checkpoint, log rows and what the steps learned. It returns what
	// the steps of the records took, as the log has it: one without a duration of its
	// own took as long as this write.
	Advance(ctx context.Context, r Run, p Progress) (tenant.Tenant, tenant.Durations, error)
}

// RollbackStore rolls attempts back.
type RollbackStore interface {
	// BeginRollback notes, before anything is undone, that this run rolls back and why.
	BeginRollback(ctx context.Context, r Run, undo Rollback, failed tenant.StepRecord) error
	// RollBack drops schema and role, marks the completed database steps ROLLED_BACK,
	// ends the attempt and releases the tenant, in one transaction. It refuses
	// (KindConflict) for a tenant that was ever live.
	RollBack(ctx context.Context, r Run) (tenant.Tenant, error)
}

// Seed is what SEED_ROLES_AND_USER puts into a new schema.
type Seed struct {
	AdminUser  uuid.UUID
	Roles      []Role
	Invitation invitation.Invitation
	Next       tenant.Step // The step after; its log row starts as IN_PROGRESS in the same commit.
}

// Role is one of the roles that each tenant starts with.
type Role struct {
	Name, Description string
}

// DefaultRoles are the roles that each tenant starts with; the first is the admin's.
func DefaultRoles() []Role {
	return []Role{
		{"admin", "Manages the organisation, its users and their roles"},
		{"user", "Works with the organisation's records"},
		{"viewer", "Reads the organisation's records"},
	}
}

// Progress is what one commit of a run tells the registry. Zero values leave
// the tenant's field as it is.
type Progress struct {
	Checkpoint   tenant.Step
	Records      []tenant.StepRecord
	ContractID   string
	WelcomeEmail tenant.WelcomeEmailStatus
	Activate     bool // The run is over: ACTIVE, lease given back.
}

// Mailer sends what the pipeline has to say to a tenant's admin.
type Mailer interface {
	// SendWelcome sends the welcome mail. KindTransient for a 4xx answer or a lost
	// connection, KindPermanent for a refusal. The Message-ID is a function of
	// tenant and serial, so a repetition can be recognised.
	SendWelcome(ctx context.Context, m WelcomeMail) error
	// SendFailure tells the admin that the onboarding did not succeed.
	SendFailure(ctx context.Context, m FailureMail) error
}

// WelcomeMail is the content of the mail that ends a provisioning.
type WelcomeMail struct {
	Tenant     tenant.Tenant
	Invitation string // The secret part of the link; nowhere else in the clear.
	ExpiresAt  time.Time
	Serial     int
}

// FailureMail is the content of the mail that ends a failed attempt.
type FailureMail struct {
	Tenant tenant.Tenant
}

// ContractDeployer gives a tenant its contract.
type ContractDeployer interface {
	// Deploy makes sure that the tenant's contract exists and is the right one:
	// look, deploy what is missing, verify. It writes each transaction into the
	// journal before it sends it. It honours ctx at every wait; what was sent by
	// then is in the journal and is resolved by the next call.
	Deploy(ctx context.Context, t tenant.Tenant, journal txlog.Log) (contracts.Contract, error)
	// ContractID tells, without a network, which address the tenant's contract has.
	ContractID(tenant uuid.UUID) (string, error)
}
