// Package contracts manages Soroban contracts after their deployment: their time to live,
// their status, the anchors of audit chains and upgrades. The Reconciler does what is
// due, in batches; any number of reconcilers may run at once.
package contracts

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// State is the on-chain state of a contract.
type State string

// The on-chain states of a contract.
const (
	StateLive     State = "LIVE"
	StateExpiring State = "EXPIRING" // Its time to live ends within RenewAhead.
	StateExpired  State = "EXPIRED"  // Its time to live is over; it can be restored.
	StateMissing  State = "MISSING"  // The ledger has no contract.
	StateMismatch State = "MISMATCH" // The ledger has a contract that is not the tenant's.
)

// ContractStatus is the tenant's status as its contract stores it. Anyone can
// read it on the ledger.
type ContractStatus string

// The statuses of a contract.
const (
	ContractStatusActive    ContractStatus = "ACTIVE"    // The tenant is in service.
	ContractStatusSuspended ContractStatus = "SUSPENDED" // It is out of service for a time.
	ContractStatusArchived  ContractStatus = "ARCHIVED"  // It is out of service. Its data is kept.
)

// ContractStatusOf returns the status that the contract of a tenant in status s
// stores. A new attempt of an archived tenant sets its contract to ACTIVE again.
func ContractStatusOf(s tenant.Status) ContractStatus {
	switch s {
	case tenant.StatusArchived:
		return ContractStatusArchived
	case tenant.StatusSuspended:
		return ContractStatusSuspended
	default:
		return ContractStatusActive
	}
}

// Lifetimes are counted in ledgers, of five seconds on the public network.
const (
	ledgersPerDay = 17_280
	// RenewAhead is how many ledgers before its end a contract is extended.
	RenewAhead = 30 * ledgersPerDay
	// ExpiresSoon is how many ledgers before its end a contract needs action where no
	// reconciler runs. Test networks give a new contract a week.
	ExpiresSoon = 5 * ledgersPerDay
	// ExtendTo is how many ledgers from now an extended contract lives: as long as a new
	// one on the public network.
	ExtendTo = 120 * ledgersPerDay
)

// Snapshot is a tenant's contract as read from the ledger.
type Snapshot struct {
	TenantID     uuid.UUID
	ContractID   string
	Ledger       uint32 // The ledger of the read.
	State        State
	LiveUntil    uint32         // The last ledger in which instance and code both live; 0 when one does not.
	CodeArchived bool           // With StateExpired: the code is archived, and perhaps the instance.
	WasmHash     string         // SHA-256 of its code, hex.
	Outdated     bool           // Its code is an earlier release's.
	Mismatch     string         // With StateMismatch: what differs.
	Status       ContractStatus // As the contract stores it; empty: not read.
	Anchor       Anchor         // The newest; zero: none.
}

// Anchor is the head of an audit chain, as stored in a contract.
type Anchor struct {
	Seq    int64    // The event's number in the tenant's chain.
	Root   [32]byte // Its hash, which covers all earlier events.
	Ledger uint32   // The ledger in which it was anchored; 0: not anchored.
}

// Change is one change of a tenant's contract.
type Change struct {
	Purpose txlog.Purpose  // PurposeStatus, PurposeAnchor or PurposeUpgrade.
	Status  ContractStatus // With PurposeStatus: the status to store.
	Anchor  Anchor         // With PurposeAnchor.
}

// Chain reads and changes contracts on the ledger. Each change is safe to repeat; a change
// that is not needed costs nothing.
type Chain interface {
	Ledger
	ChannelAccounts
	Creations
	Code
}

// Ledger reads, renews and changes contracts.
type Ledger interface {
	// ReadContracts returns the snapshots of the tenants' contracts, in the order of the
	// tenants. It pays nothing. KindTransient when the network does not answer.
	ReadContracts(ctx context.Context, tenants []tenant.Tenant) ([]Snapshot, error)
	// RenewContracts restores EXPIRED contracts and extends EXPIRING ones, with their
	// code, many in one transaction. The Renewal is complete also when there is an error;
	// the error joins all errors.
	RenewContracts(ctx context.Context, txLog txlog.Log, contracts []Snapshot) (Renewal, error)
	// ChangeContract makes one change of one contract and returns the fee in stroops.
	// KindPermanent when the contract rejects it.
	ChangeContract(ctx context.Context, txLog txlog.Log, tenant uuid.UUID, change Change) (int64, error)
	// Deploy deploys a missing contract, after a network reset.
	Deploy(ctx context.Context, t tenant.Tenant, txLog txlog.Log) (Contract, error)
}

// ChannelAccounts reconciles the channel accounts of a deployer.
type ChannelAccounts interface {
	// ReconcileChannels reconciles the channel accounts. See ChannelReport.
	ReconcileChannels(ctx context.Context, txLog txlog.Log) (ChannelReport, error)
	// NetworkID and Address name the network and the deployer's account, as transaction logs do.
	NetworkID() string
	Address() string
}

// Creations finds contracts by the transactions that created them.
type Creations interface {
	// CreatedContracts calls each with the contracts that the deployer created in the
	// ledgers whose events the server still has (a week on public networks), a page at a
	// time, and stops at its error. KindTransient when the network does not answer.
	CreatedContracts(ctx context.Context, each func([]Creation) error) error
	// AnchoredContracts does the same with the contracts that have this deployer as admin and
	// in which an audit chain was anchored.
	AnchoredContracts(ctx context.Context, each func([]Creation) error) error
	// CreatedBy says whether a transaction of this registry created the contract or anchored
	// in it, and not one of another registry with the same deployer, or of another account.
	CreatedBy(ctx context.Context, registry uuid.UUID, c Creation) (Creator, error)
}

// Creator says who created a contract.
type Creator int

// The creators of a contract.
const (
	CreatorUnknown      Creator = iota // The server does not have the transaction, or not yet.
	CreatorThisRegistry                // A transaction of this registry.
	CreatorOther                       // Another registry, or another account.
)

// Creation is the creation of a contract, or with Anchored an anchor in it, as the ledger has it.
type Creation struct {
	ContractID      string // C... strkey.
	TransactionHash string // Hex.
	Ledger          uint32
	ClosedAt        time.Time // Of the ledger.
	Anchored        bool      // The transaction anchored an audit chain in the contract.
}

// Code returns the addresses and the code that contracts should have.
type Code interface {
	// ContractID computes the address of a tenant's contract, without a network.
	ContractID(tenant uuid.UUID) (string, error)
	// CurrentCode is the code that contracts should run, SHA-256 in hex.
	CurrentCode() string
	// IsPredecessor reports whether hash is the code of an earlier release.
	IsPredecessor(hash string) bool
}

// Renewal is what RenewContracts did.
type Renewal struct {
	Restored, Extended []uuid.UUID // Tenants.
	Codes              int         // Code entries that were restored or extended.
	FeeCharged         int64       // Stroops, in total.
}

// Protocol compares a network's protocol with the newest one that this program can decode.
type Protocol struct {
	Network int // As last read; 0: not read yet.
	Known   int
}

// Newer reports whether the network has a protocol that this program does not know.
func (p Protocol) Newer() bool { return p.Network > p.Known }

// ChannelReport is what ReconcileChannels found and did.
type ChannelReport struct {
	Channels          []txlog.Channel // As they are now; empty when none are configured.
	Created, ToppedUp int
	FeeCharged        int64 // Stroops.
	DeployerBalance   int64 // The deployer's own balance, in stroops.
}

// Record is the registry's record of a tenant's contract.
type Record struct {
	Snapshot
	CheckedAt           time.Time // When the state was read; zero: never.
	AnchoredAt          time.Time // When the anchor was first read.
	DueAt               time.Time // When it is reconciled next.
	ConsecutiveFailures int       // Consecutive failed reconciliations.
	LastError           string    // Why the last reconciliation failed; empty: it did not.
	UpgradeTo           string    // Hash of the code to upgrade to; empty: no upgrade is planned.
	SupersededUpgrade   string    // A planned upgrade to an earlier release's code, to be removed.
}

// WorkItem is a contract to reconcile.
type WorkItem struct {
	Tenant   tenant.Tenant
	Registry bool // It is the contract of the registry chain; Tenant has the registry's id, and no tenant has.
	Record   Record
	Head     Anchor // The newest event of the audit chain.
}

// subject is how reports name what has the contract: the tenant's id, or uuid.Nil for the registry.
func (w *WorkItem) subject() uuid.UUID {
	if w.Registry {
		return uuid.Nil
	}
	return w.Tenant.ID
}

// ClaimQuery chooses contracts.
type ClaimQuery struct {
	Tenants        []uuid.UUID   // Only these, due or not; empty: those that are due.
	PendingUpgrade string        // Of the due ones, only those with an upgrade to this code; empty: all.
	ClaimFor       time.Duration // How long they are not due for other processes.
	Limit          int
}

// Store stores records of contracts in the registry. Many processes may call its methods
// at once: a contract that one of them has claimed is not returned to another.
type Store interface {
	WorkStore
	UpgradeStore
	StellarStore
	// UnknownContracts returns those of the addresses that the registry has neither with a
	// tenant nor in the transaction log.
	UnknownContracts(ctx context.Context, ids []string) ([]string, error)
}

// WorkStore returns and records managed contracts, and the time when each is due.
type WorkStore interface {
	// RegisterContracts adds contracts that the registry has no record of, and returns
	// their number. With no tenants it adds those of all tenants.
	RegisterContracts(ctx context.Context, tenants ...uuid.UUID) (int, error)
	// RegisterRegistry adds the contract of the registry itself, if its chain has events and it
	// is of that age, and reports whether it did.
	RegisterRegistry(ctx context.Context, contractID string, minAge time.Duration) (bool, error)
	// ClaimDueContracts claims contracts of tenants that are not purged.
	ClaimDueContracts(ctx context.Context, q ClaimQuery) ([]WorkItem, error)
	// ListContracts pages through all contracts of tenants that are not purged, by
	// tenant id, starting with uuid.Nil. It claims nothing.
	ListContracts(ctx context.Context, after uuid.UUID, limit int) ([]WorkItem, error)
	// RecordContracts writes the current state of contracts, and when each is due.
	RecordContracts(ctx context.Context, records []Record) error
	// Defer makes claimed contracts due at a later time, so that other processes can
	// claim them. It changes nothing else.
	Defer(ctx context.Context, tenants []uuid.UUID, until time.Time) error
}

// UpgradeStore plans upgrades.
type UpgradeStore interface {
	// PlanUpgrade records that contracts with other code are to be upgraded to this code,
	// and returns their number. With no tenants it does so for all.
	PlanUpgrade(ctx context.Context, hash string, tenants []uuid.UUID) (int, error)
	// PendingUpgrades counts contracts with a pending upgrade to this code, and those
	// whose last attempt failed.
	PendingUpgrades(ctx context.Context, hash string) (waiting, stuck int, err error)
}

// StellarStore has the transaction log, anchors and the deployer's balance.
type StellarStore interface {
	// SystemLog returns the log of transactions that belong to no run.
	SystemLog() txlog.Log
	// AnchorMismatches returns, by tenant, why the anchor of a contract does not match
	// the tenant's audit chain. It omits contracts that match or have no anchor.
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
	Ledger          uint32 // The ledger that created it; 0 when it existed already.
	FeeCharged      int64  // Stroops, over all transactions of this call.
}

// LogFields returns the fields of a deployment for the provisioning log.
func (c Contract) LogFields() map[string]any {
	m := map[string]any{"contractId": c.ID, "wasmHash": c.WasmHash}
	if c.TransactionHash != "" {
		m["transactionHash"], m["ledger"], m["feeChargedStroops"] = c.TransactionHash, c.Ledger, c.FeeCharged
	} else {
		m["existed"] = true
	}
	return m
}

// ListQuery selects a page of contracts. Zero values do not filter.
type ListQuery struct {
	State  State     // As last read.
	Failed bool      // Only those whose last reconciliation failed.
	After  uuid.UUID // The tenant of the last contract of the page before.
	Limit  int
}

// StellarStats are statistics of the registry about Stellar, for monitoring.
type StellarStats struct {
	Protocol        Protocol // Not of the registry: the reader adds it.
	DeployerBalance int64    // The deployer's balance as last read, in stroops; 0: unknown.
	Channels        []txlog.Channel
	Transactions    map[txlog.Purpose]int64 // Applied so far, with or without success.
	Stroops         map[txlog.Purpose]int64 // Their fees.
	Contracts       map[State]int64         // By state as last read.
	Failed          int64                   // Contracts whose last reconciliation failed.
	Spend           SpendHistogram
}

// SpendHistogram counts tenants by the total fees of their transactions.
type SpendHistogram struct {
	Bounds           []float64 // Upper bounds in stroops, in ascending order.
	CumulativeCounts []uint64  // Tenants up to each bound, cumulative.
	Tenants          uint64
	Stroops          float64
}
