package provisioning

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/events"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// CreationStore records new tenants. Every method of every store can also return
// KindTransient when the registry does not answer.
type CreationStore interface {
	// Create records and claims the draft, or returns the existing tenant with its name or
	// external id. Record, first log row and claim commit together. See Creation for
	// the outcomes. KindConflict when a run holds the existing tenant (then Error.Lease is
	// set), when it is queued, when name and external id belong to two different
	// tenants, or when one that was never live is made from another blueprint. A continued
	// tenant gets the draft's password, or none.
	Create(ctx context.Context, d tenant.Draft, lease LeaseRequest) (Creation, error)
	// Submit records the draft and queues its provisioning, in one transaction. A
	// FAILED or ARCHIVED tenant of that name or external id that was never live is
	// queued again with the draft's inputs. With idem, a repeated request returns the
	// first response again, conflicts included. KindConflict when the name or the
	// external id is taken; KindReused when the key of idem belongs to another request.
	Submit(ctx context.Context, d tenant.Draft, idem *Idempotency) (Submission, error)
	// Submitted returns the answer of Submit to an earlier request with the key; ok is
	// false when there was none.
	Submitted(ctx context.Context, idem Idempotency) (s Submission, ok bool, err error)
	// Requeue queues a tenant that is FAILED, ARCHIVED without ever being live, or
	// unfinished without a job and without a lease. KindConflict for every other one.
	Requeue(ctx context.Context, id uuid.UUID) (Submission, error)
	// UnarchiveExisting is MoveStore.Unarchive and MoveStore.Update in one transaction.
	UnarchiveExisting(ctx context.Context, id uuid.UUID, in tenant.Inputs) (tenant.Tenant, error)
}

// TenantStore reads tenants and their logs.
type TenantStore interface {
	// Get returns KindNotFound for an unknown id.
	Get(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	// FindByName finds the live tenant of that name, ignoring case, else the one
	// archived last, else the one among the purged. KindNotFound when there is none.
	FindByName(ctx context.Context, name string) (tenant.Tenant, error)
	// FindByExternalID finds the tenant that has the external id, else the last purged
	// one that had it. KindNotFound for an unknown id.
	FindByExternalID(ctx context.Context, externalID string) (tenant.Tenant, error)
	// List returns a page of tenants.
	List(ctx context.Context, q tenant.ListQuery) (tenant.Page, error)
	// Log returns the log rows of the newest attempt, or of all, in order.
	Log(ctx context.Context, id uuid.UUID, all bool) ([]tenant.LogEntry, error)
	// Changes returns what changed in a tenant's log after a position; 0: all of it.
	Changes(ctx context.Context, id uuid.UUID, after int64) (events.Changes, error)
}

// MoveStore changes tenants and moves them between statuses.
type MoveStore interface {
	// Update changes the inputs of a tenant, also those of the admin user in the tenant's
	// schema. With a password it invalidates a live tenant's open invitations, which would
	// allow to replace it. KindConflict for a name or e-mail that is taken, and for another
	// blueprint (empty: the tenant's); KindStale when version is neither 0 nor the stored one.
	Update(ctx context.Context, id uuid.UUID, in tenant.Inputs, version int64) (tenant.Tenant, error)
	// Archive takes a live tenant out of service and does not change an ARCHIVED one. KindConflict
	// with deletion protection, and for any other status: use Abort.
	Archive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	// Abort claims a tenant that is not live, even while a run holds it (that run is
	// fenced), and records that it is to be rolled back and archived. The returned run
	// has Rollback set. KindConflict when the tenant is ACTIVE or ARCHIVED.
	Abort(ctx context.Context, id uuid.UUID, lease LeaseRequest) (Run, error)
	// Unarchive makes an ARCHIVED tenant that was live what it was before, ACTIVE or SUSPENDED,
	// and does not change a live one. KindConflict when another tenant has its name, when it was
	// purged or was never live, or when a purge has sent the undo of an own step.
	Unarchive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	// CheckPurge returns the error that Purge would return, as far as it is known before it
	// begins, and nil for a purged tenant. archiveFirst: a live tenant is checked as if it was
	// archived now.
	CheckPurge(ctx context.Context, id uuid.UUID, retention time.Duration, archiveFirst bool) error
	// Purge drops schema and role of a tenant that has been ARCHIVED for longer than
	// the retention, and keeps a certificate, which it returns for a purged one. KindConflict
	// under a legal hold, which is recorded, and with deletion protection.
	Purge(ctx context.Context, id uuid.UUID, retention time.Duration) (PurgeCertificate, error)
	// QueueMove queues a move for a worker, in one transaction with its checks. The job of
	// an earlier request that has not ended is returned; KindConflict when it is of
	// another move, or when the tenant does not permit the move.
	QueueMove(ctx context.Context, id uuid.UUID, r MoveRequest) (Submission, error)
}

// BlueprintStore has what new tenants are made from.
type BlueprintStore interface {
	// ActiveBlueprint returns the active revision of a blueprint. The blueprint standard needs
	// no database. KindInvalid for a name that is not published, has no active revision or is
	// retired; the error says which.
	ActiveBlueprint(ctx context.Context, name string) (blueprint.Active, error)
	// UsedBlueprint is ActiveBlueprint for tenants that exist: the blueprint may be retired.
	UsedBlueprint(ctx context.Context, name string) (blueprint.Active, error)
}

// InvitationStore invites the administrators of live tenants.
type InvitationStore interface {
	// CreateInvitation stores another invitation for the admin of an ACTIVE tenant, and
	// claims its welcome mail, which becomes PENDING, for that long: a conversation of an
	// earlier claim sends nothing any more. It returns the tenant and the welcome mail to
	// send. ErrMailUnanswered while the mail server has an earlier mail.
	CreateInvitation(ctx context.Context, id uuid.UUID, inv invitation.Invitation, hold time.Duration) (tenant.Tenant, MailRef, error)
	// ResendInvitation is CreateInvitation for a mail that is due. KindConflict when it has
	// another claim by now, or is not PENDING: then another caller has sent it.
	ResendInvitation(ctx context.Context, due DueMail, inv invitation.Invitation, hold time.Duration) (tenant.Tenant, MailRef, error)
	// RenewInvitation is CreateInvitation in place of the EXPIRED invitation with that
	// hash, which is REVOKED then. KindConflict for one that is not EXPIRED, KindNotFound
	// for an unknown hash.
	RenewInvitation(ctx context.Context, hash [sha256.Size]byte, inv invitation.Invitation, hold time.Duration) (tenant.Tenant, MailRef, error)
	// FindInvitation returns KindNotFound for an unknown hash.
	FindInvitation(ctx context.Context, hash [sha256.Size]byte) (Invited, error)
	// AcceptInvitation sets the password of the user whom a PENDING invitation of a tenant is
	// for, and revokes the user's other invitations. KindConflict for one that is not PENDING any
	// more, and for a tenant that is not ACTIVE.
	AcceptInvitation(ctx context.Context, id uuid.UUID, hash [sha256.Size]byte, password tenant.Password) (tenant.Tenant, error)
	WelcomeStore
}

// WelcomeStore records what becomes of welcome mails.
type WelcomeStore interface {
	// RecordWelcome records the outcome of a live tenant's welcome mail, also after the tenant
	// was archived. KindConflict when it was never live or is purged, when another claim has
	// replaced the outcome's, or when another outcome is recorded.
	RecordWelcome(ctx context.Context, id uuid.UUID, o WelcomeOutcome) (tenant.Tenant, error)
	// MarkUnanswered records whether the mail server has a PENDING welcome mail, or may have
	// it, without having answered. When no process can have the conversation any more, the
	// mail is not sent again by itself. KindConflict when the mail must not be sent: it is not
	// PENDING, another claim has replaced this one, or the tenant is archived.
	MarkUnanswered(ctx context.Context, m MailRef, unanswered bool) error
}

// Creation is the outcome of CreationStore.Create. Either Run is set: the tenant is
// claimed for the caller, newly recorded or, with Continued, an existing one of that name
// or external id that never went live. Or Run is nil: Tenant is an existing one that was
// live.
type Creation struct {
	Tenant    tenant.Tenant
	Run       *Run
	Continued bool
}

// LeaseRequest says who claims a tenant and for how long.
type LeaseRequest struct {
	Owner string        // Host, process and a random part.
	TTL   time.Duration // Without a heartbeat for this long, another run may claim the tenant.
}

// ClaimMode says what a claim may do besides continuing work in progress.
type ClaimMode int

// The modes of a claim.
const (
	// ClaimResume continues PENDING and PROVISIONING tenants.
	ClaimResume ClaimMode = iota
	// ClaimRetry also starts a new attempt of FAILED tenants, and of ARCHIVED ones that
	// were never live.
	ClaimRetry
)

// Run is a claimed tenant. Epoch is the fence: every write carries it, and the
// registry refuses writes with an older epoch (KindFenced).
type Run struct {
	Tenant      tenant.Tenant
	Owner       string
	Epoch       int64
	Checkpoint  tenant.Step // The last completed step.
	Rollback    Rollback    // Not empty: a rollback has begun and must be finished first.
	AdminUser   uuid.UUID
	MailSerial  int           // See MailRef.
	MailClaim   int           // See MailRef.
	Unanswered  bool          // An earlier run sent the welcome mail and got no answer.
	Recorded    time.Duration // Duration of CREATE_TENANT_RECORD of this attempt, as logged.
	Traceparent string        // Of the request that created the tenant, as W3C Trace Context has it; empty: no traces.
	TookOver    bool          // The lease of an earlier run had expired without a release.
}

// Rollback is the status that a tenant gets when its rollback has finished.
type Rollback string

// The targets of a rollback.
const (
	RollbackNone       Rollback = ""
	RollbackToFailed   Rollback = "FAILED"   // The attempt failed: the tenant becomes FAILED.
	RollbackToArchived Rollback = "ARCHIVED" // The tenant was aborted: it becomes ARCHIVED.
)

// Runs are the methods of the registry that a Pipeline calls. Methods that take a Run return
// KindFenced when its epoch is no longer the tenant's.
type Runs interface {
	LeaseStore
	StepStore
	RollbackStore
	WelcomeStore
	FailureMailStore
	OwnStepStore
	UndoStore
}

// LeaseStore claims tenants for runs.
type LeaseStore interface {
	// Claim takes the lease of the tenant. KindNotFound for an unknown id; KindConflict when
	// another run has the lease (Error.Lease is set), or the mode does not permit a run in
	// the tenant's status.
	Claim(ctx context.Context, id uuid.UUID, mode ClaimMode, lease LeaseRequest) (Run, error)
	// Renew extends the lease of the run and of the Stellar accounts it holds.
	Renew(ctx context.Context, r Run, ttl time.Duration) error
	// Release ends the lease of an unfinished tenant, so that any run can continue it.
	// records hold the error, if that was the reason.
	Release(ctx context.Context, r Run, records ...tenant.StepRecord) error
}

// StepStore runs the database steps and records all steps.
type StepStore interface {
	// PrepareSchema runs CREATE_SCHEMA, RUN_MIGRATIONS and SEED_ROLES_AND_USER: it
	// creates the tenant's schema at the newest version, with its role, its rows and the
	// admin's invitation, in one transaction with checkpoint and log. The admin's data
	// are those in the registry at that moment. Repeating it with the same seed, after a
	// lost response, succeeds. It returns the logged duration of each of the three steps.
	PrepareSchema(ctx context.Context, r Run, seed Seed) (tenant.Durations, error)
	// AddInvitation adds an invitation for the tenant's admin and keeps earlier ones valid.
	AddInvitation(ctx context.Context, r Run, inv invitation.Invitation) error
	// TransactionLog returns the transaction log of this run.
	TransactionLog(r Run) txlog.Log
	// Advance writes checkpoint, log rows and results of steps. It returns the logged
	// durations of these steps; a record without a duration gets that of this write.
	Advance(ctx context.Context, r Run, p Progress) (tenant.Tenant, tenant.Durations, error)
}

// RollbackStore rolls attempts back.
type RollbackStore interface {
	// BeginRollback records, before anything is dropped, that this run rolls back and why.
	BeginRollback(ctx context.Context, r Run, undo Rollback, failed tenant.StepRecord) error
	// RollBack drops schema and role, marks the completed database steps ROLLED_BACK,
	// ends the attempt and releases the tenant, in one transaction. It refuses
	// (KindConflict) for a tenant that was ever live. The failure mail of a tenant that
	// becomes FAILED is due with that, and claimed for MailHold by the caller as its first
	// try.
	RollBack(ctx context.Context, r Run) (tenant.Tenant, error)
}

// Seed is what SEED_ROLES_AND_USER inserts into a new schema.
type Seed struct {
	AdminUser  uuid.UUID
	Invitation invitation.Invitation
	Next       tenant.Step // The next step; its log row becomes IN_PROGRESS in the same commit.
}

// Progress is what one commit of a run writes to the registry. Zero values keep the
// tenant's field.
type Progress struct {
	Checkpoint   tenant.Step
	Records      []tenant.StepRecord
	ContractID   string
	WelcomeEmail tenant.WelcomeEmailStatus
	MailHold     time.Duration // See WelcomeOutcome.Hold.
	Unanswered   bool          // See WelcomeOutcome.Unanswered.
	Activate     bool          // Ends the run: the tenant becomes ACTIVE and its lease is released.
}

// Mailer sends mail to the admin of a tenant. A conversation with the mail server belongs to
// the Mailer: it can go on behind the caller.
type Mailer interface {
	// SendWelcome sends the welcome mail, and waits for the outcome as long as wait says.
	// ErrMailUnderWay when there is none yet, ErrMailUnanswered if the server has the mail
	// already; ErrMailUnconfirmed when the server got the final dot and did not answer. Else the mail was not sent: KindTransient for a 4xx reply or a
	// lost connection, KindPermanent for a 5xx reply, and with ErrMailSettings for a server that the settings do not fit, and the kind of the end of ctx, which
	// ends a conversation before the final dot. The Message-ID depends on tenant and serial
	// only, so mail systems can recognise a repetition.
	SendWelcome(ctx context.Context, m WelcomeMail, wait MailWait) error
	// SendFailure sends the mail about a failed attempt in the same way.
	SendFailure(ctx context.Context, m FailureMail, wait MailWait) error
}

// MailWait says how long the caller of a Mailer waits, and who learns what happens later. The
// zero value does not wait.
type MailWait struct {
	Dot    time.Duration // For the final dot, with which the server gets the mail.
	Answer time.Duration // For the answer after it.
	Total  time.Duration // In all.
	Cut    bool          // Without the final dot by then, the conversation ends and nothing is sent. Else it goes on.

	// BeforeDot is called when the server is about to get the mail and the caller has gone on:
	// it records that there is no answer yet. An error ends the conversation. Nil: nothing.
	BeforeDot func() error
	// AlwaysBeforeDot says that BeforeDot is called also while the caller waits.
	AlwaysBeforeDot bool
	// Unanswered is called when the answer takes long; with false when the mail was refused
	// after that or after BeforeDot. Nil: nothing.
	Unanswered func(unanswered bool) error
	// Ended is called once with the outcome, if the caller got ErrMailUnderWay. Nil: nothing.
	Ended func(err error)
}

// Errors of a Mailer that callers tell apart. ErrMailUnanswered is an ErrMailUnderWay, too.
var (
	ErrMailUnderWay = errs.Errorf(errs.KindTransient, "send mail",
		"the mail server has not answered yet: the mail is on its way, and its status changes when the conversation ends")
	ErrMailUnanswered = errs.Wrap(ErrMailUnderWay, errs.KindTransient, "send mail",
		"the mail server has the mail and has not answered yet: the mail is on its way, and its status becomes SENT, or FAILED, when the conversation ends")
	// ErrMailSettings is wrapped by a KindPermanent that another mail would get, too: a refused login, a
	// certificate that is not trusted. The mail is sent when the settings are corrected.
	ErrMailSettings    = errors.New("the settings do not fit the mail server")
	ErrMailUnconfirmed = errs.Errorf(errs.KindPermanent, "send mail",
		"the mail server did not confirm the mail: it may have been delivered, so it is not sent again by itself. "+
			"Ask the administrator; if it has not arrived, invite again, by POST /admin/tenants/{id}/invite or by terraform apply")
)

// WelcomeMail is the content of the mail that ends a provisioning, and of the reminder of its
// invitation.
type WelcomeMail struct {
	Tenant     tenant.Tenant
	Invitation string // The secret part of the link; stored nowhere in the clear.
	ExpiresAt  time.Time
	Serial     int
	Reminder   bool // It is the reminder.
}

// ContractDeployer deploys the contract of a tenant.
type ContractDeployer interface {
	// Deploy makes sure that the tenant's contract exists and is the right one: it reads
	// the ledger, deploys what is missing and verifies the result. It stores each
	// transaction in the log before it submits it. It stops when ctx ends; the next call
	// resolves the transactions that were submitted by then.
	Deploy(ctx context.Context, t tenant.Tenant, txLog txlog.Log) (contracts.Contract, error)
	// ContractID computes, without a network, the address of the tenant's contract.
	ContractID(tenant uuid.UUID) (string, error)
}
