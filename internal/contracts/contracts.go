// Package contracts manages Soroban contracts after their deployment: their time
// to live, their status, the anchors of audit chains and upgrades. The Reconciler does
// what is due, in batches; any number of them may work side by side.
package contracts

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// State tells where a contract stands on the ledger.
type State string

// The lives of a contract.
const (
	StateLive     State = "LIVE"
	StateExpiring State = "EXPIRING" // Its time to live ends within RenewAhead.
	StateExpired  State = "EXPIRED"  // Its time to live is over; it can be restored.
	StateMissing  State = "MISSING"  // There is none.
	StateMismatch State = "MISMATCH" // There is one, and it is not the tenant's.
)

// Lifetimes are counted in ledgers, of five seconds on the public network.
const (
	ledgersPerDay = 17_280
	// RenewAhead is how many ledgers before its end a contract's life is extended.
	RenewAhead = 30 * ledgersPerDay
	// ExpiresSoon is how many ledgers before its end somebody should act who has nobody
	// looking after contracts. Test networks give a new contract a week.
	ExpiresSoon = 5 * ledgersPerDay
	// ExtendTo is for how many ledgers from now it is extended: what the public network
	// gives a new contract.
	ExtendTo = 120 * ledgersPerDay
)

// Snapshot is what one look at the ledger showed of a tenant's contract.
type Snapshot struct {
	TenantID       uuid.UUID
	ContractID     string
	Ledger         uint32 // Of the look.
	State          State
	LiveUntil      uint32 // The last ledger in which instance and code both live; 0 when one does not.
	CodeArchived   bool   // With StateExpired: the code is archived, and perhaps the instance.
	WasmHash       string // SHA-256 of its code, hex.
	Outdated       bool   // Its code is an earlier release's.
	Mismatch       string // With StateMismatch: what differs.
	TenantArchived bool   // What it says of its tenant.
	Anchor         Anchor // The newest; zero: none.
}

// Anchor is an event of an audit chain, as a contract keeps it.
type Anchor struct {
	Seq    int64    // The event's number in its tenant's chain.
	Root   [32]byte // Its hash, which covers all before it.
	Ledger uint32   // In which it was anchored; 0 while it is not.
}

// Change is one call of a tenant's contract that changes it.
type Change struct {
	Purpose        txlog.Purpose // PurposeStatus, PurposeAnchor or PurposeUpgrade.
	TenantArchived bool          // With PurposeStatus: what it is to say.
	Anchor         Anchor        // With PurposeAnchor.
}

// Chain keeps contracts that exist: it reads many at once, and changes
// them. Each change is repeated safely; what is as it should be costs nothing.
type Chain interface {
	// ReadContracts tells where the tenants' contracts stand, in their order. It pays
	// nothing. KindTransient when the network does not answer.
	ReadContracts(ctx context.Context, tenants []tenant.Tenant) ([]Snapshot, error)
	// RenewContracts restores those of the contracts that are archived and extends the
	// life of those that are EXPIRING, their code's with them, many in a transaction.
	// What was done is told also with an error, which joins all that went wrong.
	RenewContracts(ctx context.Context, journal txlog.Log, contracts []Snapshot) (Renewal, error)
	// ChangeContract makes one change of one contract and gives its fee in stroops.
	// KindPermanent when the contract refuses it.
	ChangeContract(ctx context.Context, journal txlog.Log, tenant uuid.UUID, change Change) (int64, error)
	// Deploy makes a contract that is missing, on a network that was begun anew.
	Deploy(ctx context.Context, t tenant.Tenant, journal txlog.Log) (Contract, error)
	// ReconcileChannels looks after the channel accounts. See ChannelReport.
	ReconcileChannels(ctx context.Context, journal txlog.Log) (ChannelReport, error)
	// ContractID tells, without a network, which address a tenant's contract has.
	ContractID(tenant uuid.UUID) (string, error)
	// CurrentCode is the code that contracts should run, SHA-256 in hex.
	CurrentCode() string
	// IsPredecessor reports whether that is the code of an earlier release.
	IsPredecessor(hash string) bool
	// NetworkID and Address name the network and the deployer's account, as journals do.
	NetworkID() string
	Address() string
}

// Renewal is what RenewContracts did.
type Renewal struct {
	Restored, Extended []uuid.UUID // Tenants.
	Codes              int         // Codes that were restored or extended.
	FeeCharged         int64       // Stroops, for all of it.
}

// ChannelReport is what a look after the channels found and did.
type ChannelReport struct {
	Channels          []txlog.Channel // As they are now; none when none are set.
	Created, ToppedUp int
	FeeCharged        int64 // Stroops.
	DeployerBalance   int64 // The deployer's own balance, in stroops.
}

// Record is what the registry knows of a tenant's contract.
type Record struct {
	Snapshot
	CheckedAt           time.Time // When the state was read; zero: never.
	AnchoredAt          time.Time // When the anchor was seen first.
	DueAt               time.Time // When it is looked at again.
	ConsecutiveFailures int       // Looks in a row that left something undone.
	LastError           string    // What was left undone, and why; empty: nothing.
	UpgradeTo           string    // Hash of the code that it is to run; empty: no other.
	SupersededUpgrade   string    // A plan to upgrade that is void: a later release's code is wanted, or runs.
}

// WorkItem is a contract that has to be looked at.
type WorkItem struct {
	Tenant tenant.Tenant
	Record Record
	Head   Anchor // The newest event of the tenant's audit chain.
}

// ClaimQuery chooses contracts.
type ClaimQuery struct {
	Tenants        []uuid.UUID   // Those alone, due or not; empty: those that are due.
	PendingUpgrade string        // Of those that are due, the ones that are to run this code; empty: all.
	ClaimFor       time.Duration // For that long nobody else gets them as due.
	Limit          int
}

// Store is what the registry knows of contracts. All its methods may be
// called by many processes at once: what one of them has taken, no other gets.
type Store interface {
	// SystemLog is the memory for transactions that no run needs.
	SystemLog() txlog.Log
	// RegisterContracts adds contracts that are not in the book yet, of these tenants or,
	// without any, of all, and counts them.
	RegisterContracts(ctx context.Context, tenants ...uuid.UUID) (int, error)
	// ClaimDueContracts gives contracts of tenants that are not purged.
	ClaimDueContracts(ctx context.Context, q ClaimQuery) ([]WorkItem, error)
	// RecordContracts writes what is known of contracts now, and when they are due.
	RecordContracts(ctx context.Context, records []Record) error
	// PlanUpgrade has contracts of other code upgraded to this one, all of them or
	// those of these tenants, and counts them.
	PlanUpgrade(ctx context.Context, hash string, tenants []uuid.UUID) (int, error)
	// ListContracts pages through all contracts of tenants that are not purged, by
	// tenant id; uuid.Nil begins. Nothing is taken by it.
	ListContracts(ctx context.Context, after uuid.UUID, limit int) ([]WorkItem, error)
	// PendingUpgrades counts contracts that wait for an upgrade to this code, and those of
	// them whose last try failed.
	PendingUpgrades(ctx context.Context, hash string) (waiting, stuck int, err error)
	// Defer has contracts looked at by others, from some time on. Nothing else about
	// them changes.
	Defer(ctx context.Context, tenants []uuid.UUID, until time.Time) error
	// AnchorMismatches gives those of the contracts whose anchor does not fit their
	// tenant's audit chain, and says why. Contracts without an anchor fit.
	AnchorMismatches(ctx context.Context, contracts []Snapshot) (map[uuid.UUID]string, error)
	// RecordDeployerBalance writes the deployer's balance, in stroops.
	RecordDeployerBalance(ctx context.Context, networkID, address string, balance int64) error
}

// Contract is a deployed and verified contract.
type Contract struct {
	ID              string // C... strkey.
	WasmHash        string // SHA-256, hex.
	Network         string // Passphrase.
	TransactionHash string // Hex; empty when it existed already.
	Ledger          uint32 // In which it was created; 0 when it existed already.
	FeeCharged      int64  // Stroops, over all transactions of this call.
}

// LogFields is what the provisioning log keeps of a deployment.
func (c Contract) LogFields() map[string]any {
	m := map[string]any{"contractId": c.ID, "wasmHash": c.WasmHash}
	if c.TransactionHash != "" {
		m["transactionHash"], m["ledger"], m["feeChargedStroops"] = c.TransactionHash, c.Ledger, c.FeeCharged
	} else {
		m["existed"] = true
	}
	return m
}

// StellarStats are what the registry knows of the network's side, for operations.
type StellarStats struct {
	DeployerBalance int64 // The deployer's balance when it was looked at, stroops; 0: unknown.
	Channels        []txlog.Channel
	Transactions    map[txlog.Purpose]int64 // Applied so far, with or without success.
	Stroops         map[txlog.Purpose]int64 // What they cost.
	Contracts       map[State]int64         // As they were when they were looked at last.
	Failed          int64                   // Contracts for which something was left undone.
	Spend           SpendHistogram
}

// SpendHistogram tells how much tenants have cost, each over all its transactions.
type SpendHistogram struct {
	Bounds           []float64 // Upper bounds in stroops, rising.
	CumulativeCounts []uint64  // Tenants up to each bound, those of lower ones included.
	Tenants          uint64
	Stroops          float64
}
