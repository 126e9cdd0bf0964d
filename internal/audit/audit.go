// Package audit has the events of the audit log and the callers in whose name they
// happen. The registry stores them as hash chains, one for each tenant and one for
// events without a tenant.
package audit

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Action names what was done, or wanted.
type Action string

// The actions on tenants that the registry writes down by itself, each in the
// transaction of the change.
const (
	ActionCreate          Action = "tenant.create"   // Recorded.
	ActionAdopt           Action = "tenant.adopt"    // Recorded before there was an audit log.
	ActionAttempt         Action = "tenant.retry"    // A new attempt of one that never went live.
	ActionActivate        Action = "tenant.activate" // Live.
	ActionFail            Action = "tenant.fail"     // The attempt is given up; its rollback begins.
	ActionAbort           Action = "tenant.abort"    // To be rolled back and archived, at somebody's wish.
	ActionUpdate          Action = "tenant.update"
	ActionArchive         Action = "tenant.archive"
	ActionUnarchive       Action = "tenant.unarchive"
	ActionPurge           Action = "tenant.purge"
	ActionInvite          Action = "tenant.invite"    // Another welcome mail is to go out.
	ActionRepair          Action = "tenant.repair"    // Its database role is as it should be again.
	ActionUpgradeContract Action = "contract.upgrade" // The contract is to run other code.

	ActionOpenCredential  Action = "credential.open"  //nolint:gosec // No secret: a login for the tenant's schema was made.
	ActionRenewCredential Action = "credential.renew" //nolint:gosec // The same: it lasts longer.
	ActionCloseCredential Action = "credential.close" //nolint:gosec // The same: it can do nothing any more.
)

// Outcome says whether it was done.
type Outcome string

// The outcomes of actions.
const (
	OutcomeDone    Outcome = "DONE"    // Committed together with the event.
	OutcomeRefused Outcome = "REFUSED" // Nothing was changed.
)

// Event is one link of a hash chain: who wanted what, when, from where, and
// whether it was done. Each tenant has a chain; what concerns none is in the
// platform's, whose TenantID is uuid.Nil.
type Event struct {
	TenantID uuid.UUID
	Seq      int64 // From 1, without gaps.
	At       time.Time
	Action   Action
	Outcome  Outcome
	Caller   Caller
	Detail   map[string]any // Free of secrets.
	Hash     []byte         // SHA-256 over the hash before it and this event.
}

// Log is the registry's audit log.
type Log interface {
	// Record appends events that are no change of the registry, which are
	// refusals. An event of a tenant that does not exist goes into the platform's
	// chain. Seq, At and Hash are set by the registry.
	Record(ctx context.Context, events ...Event) error
	// Events gives at most limit events of a tenant with a Seq above after, in
	// order. uuid.Nil is the platform.
	Events(ctx context.Context, tenant uuid.UUID, after int64, limit int) ([]Event, error)
}
