package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// AuditAction names what was done, or wanted.
type AuditAction string

// The actions on tenants that the registry writes down by itself, each in the
// transaction of the change.
const (
	AuditCreate     AuditAction = "tenant.create"   // Recorded.
	AuditAdopt      AuditAction = "tenant.adopt"    // Recorded before there was an audit log.
	AuditAttempt    AuditAction = "tenant.attempt"  // A new attempt of one that never went live.
	AuditActivate   AuditAction = "tenant.activate" // Live.
	AuditFail       AuditAction = "tenant.fail"     // The attempt is given up; its rollback begins.
	AuditAbort      AuditAction = "tenant.abort"    // To be rolled back and archived, at somebody's wish.
	AuditUpdate     AuditAction = "tenant.update"
	AuditArchive    AuditAction = "tenant.archive"
	AuditRestore    AuditAction = "tenant.restore"
	AuditPurge      AuditAction = "tenant.purge"
	AuditInvitation AuditAction = "tenant.invite"    // Another welcome mail is to go out.
	AuditRepair     AuditAction = "tenant.repair"    // Its database role is as it should be again.
	AuditUpgrade    AuditAction = "contract.upgrade" // The contract is to run other code.

	AuditOpenCredential  AuditAction = "credential.open"  //nolint:gosec // No secret: a login for the tenant's schema was made.
	AuditRenewCredential AuditAction = "credential.renew" //nolint:gosec // The same: it lasts longer.
	AuditCloseCredential AuditAction = "credential.close" //nolint:gosec // The same: it can do nothing any more.
)

// AuditOutcome says whether it was done.
type AuditOutcome string

// The outcomes of actions.
const (
	AuditDone    AuditOutcome = "DONE"    // Committed together with the event.
	AuditRefused AuditOutcome = "REFUSED" // Nothing was changed.
)

// AuditEvent is one link of a hash chain: who wanted what, when, from where, and
// whether it was done. Each tenant has a chain; what concerns none is in the
// platform's, whose TenantID is uuid.Nil.
type AuditEvent struct {
	TenantID uuid.UUID
	Seq      int64 // From 1, without gaps.
	At       time.Time
	Action   AuditAction
	Outcome  AuditOutcome
	Caller   Caller
	Detail   map[string]any // Free of secrets.
	Hash     []byte         // SHA-256 over the hash before it and this event.
}

// AuditLog is the registry's audit log.
type AuditLog interface {
	// Record appends events that are no change of the registry, which are
	// refusals. An event of a tenant that does not exist goes into the platform's
	// chain. Seq, At and Hash are set by the registry.
	Record(ctx context.Context, events ...AuditEvent) error
	// AuditEvents gives at most limit events of a tenant with a Seq above after, in
	// order. uuid.Nil is the platform.
	AuditEvents(ctx context.Context, tenant uuid.UUID, after int64, limit int) ([]AuditEvent, error)
}
