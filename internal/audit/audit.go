// Package audit defines the events of the audit log and their callers. The registry
// stores them as audit chains, one for each tenant and one for events without a tenant.
package audit

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Action names what was done or refused.
type Action string

// The actions on tenants, which the registry records by itself in the transaction of the
// change.
const (
	ActionCreate           Action = "tenant.create"   // Recorded.
	ActionRetry            Action = "tenant.retry"    // A new attempt of a tenant that never went live.
	ActionActivate         Action = "tenant.activate" // Live.
	ActionFail             Action = "tenant.fail"     // The attempt failed; its rollback begins.
	ActionAbort            Action = "tenant.abort"    // To be rolled back and archived, by request.
	ActionUpdate           Action = "tenant.update"
	ActionSuspend          Action = "tenant.suspend"
	ActionResume           Action = "tenant.resume"
	ActionSetHold          Action = "tenant.set_hold"
	ActionClearHold        Action = "tenant.clear_hold"
	ActionArchive          Action = "tenant.archive"
	ActionUnarchive        Action = "tenant.unarchive"
	ActionPurge            Action = "tenant.purge"
	ActionSkipUndo         Action = "tenant.skip_undo"  // What own steps left over is not undone any more.
	ActionInvite           Action = "tenant.invite"     // Another welcome mail is to be sent.
	ActionAcceptInvitation Action = "invitation.accept" // The admin chose a password.
	ActionRepair           Action = "tenant.repair"     // The privileges of its database role were restored.
	ActionUpgradeContract  Action = "contract.upgrade"  // An upgrade of the contract is planned.

	// ActionAcceptRestore: the registry was restored from a backup, and is the one to go on with.
	ActionAcceptRestore Action = "registry.accept_restore"

	// ActionGiveUpTransaction: an operator says that a Stellar transaction will never be applied.
	ActionGiveUpTransaction Action = "transaction.give_up"

	// ActionLoseRejections: so many rejections before this event were not recorded, because the
	// database did not answer or was too slow. It is in the registry chain.
	ActionLoseRejections Action = "rejections.lost"

	ActionOpenCredential  Action = "credential.open"  //nolint:gosec // No secret: a login for the tenant's schema was opened.
	ActionRenewCredential Action = "credential.renew" //nolint:gosec // No secret: the login was renewed.
	ActionCloseCredential Action = "credential.close" //nolint:gosec // No secret: the login was closed.
)

// Outcome says whether the action was done.
type Outcome string

// The outcomes of actions.
const (
	OutcomeDone     Outcome = "DONE"     // Committed together with the event.
	OutcomeRejected Outcome = "REJECTED" // Nothing was changed.
)

// Event is one link of an audit chain: who did what, when, from where, and
// whether it was done. Each tenant has a chain; events without a tenant are in the
// registry chain, whose TenantID is uuid.Nil.
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

// FeedEvent is an event in the feed of all events: what happened to which tenant, and no personal
// data.
type FeedEvent struct {
	Position int64     // From 1, without gaps, in an order that never changes.
	TenantID uuid.UUID // uuid.Nil: the registry chain.
	Seq      int64     // In its chain.
	At       time.Time
	Action   Action
	Outcome  Outcome
}

// Log is the registry's audit log.
type Log interface {
	// Record appends rejections, which change nothing else. An event of an unknown tenant
	// is appended to the registry chain. The registry sets Seq, At and Hash.
	Record(ctx context.Context, events ...Event) error
	Reader
	// Newest returns at most limit events of a tenant with a Seq below before, the newest first; 0: from the
	// newest on. uuid.Nil is the registry chain.
	Newest(ctx context.Context, tenant uuid.UUID, before int64, limit int) ([]Event, error)
	// Feed returns at most limit events of all chains with a Position above after, in order. An
	// event has its position soon after its commit: the feed does not wait for open transactions.
	Feed(ctx context.Context, after int64, limit int) ([]FeedEvent, error)
}
