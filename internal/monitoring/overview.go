package monitoring

import (
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// AttentionKind is a reason why an operator should look.
type AttentionKind string

// The kinds of what needs attention.
const (
	AttentionRestored        AttentionKind = "REGISTRY_RESTORED"     // Runs stop until a person accepts the restore.
	AttentionWorkerMissing   AttentionKind = "WORKER_MISSING"        // No worker was seen.
	AttentionFailed          AttentionKind = "FAILED"                // Tenants whose provisioning failed.
	AttentionStuck           AttentionKind = "STUCK"                 // Unfinished tenants that no run has held for ten minutes.
	AttentionDrifted         AttentionKind = "DRIFTED"               // ACTIVE tenants whose schema or role differs from what was made.
	AttentionContractError   AttentionKind = "CONTRACT_ERROR"        // Contracts that are missing, expired or others', or whose reconciliation failed.
	AttentionContractExpires AttentionKind = "CONTRACT_EXPIRING"     // Contracts whose time to live ends soon.
	AttentionChannelDisabled AttentionKind = "CHANNEL_DISABLED"      // Channel accounts that cannot be used.
	AttentionLowBalance      AttentionKind = "LOW_BALANCE"           // The deployer has few lumens.
	AttentionMailFailed      AttentionKind = "WELCOME_EMAIL_FAILED"  // Welcome mails that were given up.
	AttentionMailPending     AttentionKind = "WELCOME_EMAIL_PENDING" // Welcome mails that are overdue, or whose attempts fail.
	AttentionInvitation      AttentionKind = "INVITATION_EXPIRED"    // Invitations that were not accepted in time.
	AttentionLogins          AttentionKind = "LOGINS_OVERDUE"        // Logins that should have ended.
	AttentionBehind          AttentionKind = "TENANTS_BEHIND"        // Tenants that are not at the active revision of their blueprint.
)

// AttentionKinds are all kinds, the most urgent first.
func AttentionKinds() []AttentionKind {
	return []AttentionKind{
		AttentionRestored, AttentionWorkerMissing, AttentionFailed, AttentionStuck, AttentionDrifted, AttentionContractError, AttentionContractExpires, AttentionChannelDisabled,
		AttentionLowBalance, AttentionMailFailed, AttentionMailPending, AttentionInvitation, AttentionLogins, AttentionBehind,
	}
}

// MaxAttentionTenants is how many tenants of a group are named.
const MaxAttentionTenants = 5

// Attention is a group of what needs attention for one reason.
type Attention struct {
	Kind      AttentionKind
	Count     int64
	Blueprint string            // Of AttentionBehind.
	Message   string            // What it is and what to do, of a group that is not about tenants.
	Tenants   []AttentionTenant // At most MaxAttentionTenants.
}

// AttentionTenant is a tenant of a group.
type AttentionTenant struct {
	ID     uuid.UUID
	Name   string
	Status tenant.Status
	Since  time.Time // Zero: not known.
	Reason string    // Empty: the kind says all.
}

// Hour counts what happened in an hour.
type Hour struct {
	From              time.Time
	Activated, Failed int64
}

// Ledger is what registry and process know of the Stellar network without asking it.
type Ledger struct {
	Sequence           uint32    // The newest ledger that this process has seen; 0: none yet.
	ClosedAt           time.Time // When it closed.
	Deployer           string    // The address of its account.
	Balance            *int64    // In stroops, as last read; nil: not known.
	BalanceAt          time.Time // When it was read.
	LowBalance         int64     // A lower balance needs lumens.
	ChannelsConfigured int
	ChannelsUsable     int
	ChannelsDisabled   int // Of the configured ones; one that was never made is neither usable nor disabled.
}
