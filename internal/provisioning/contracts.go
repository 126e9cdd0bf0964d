package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// ContractLife tells where a contract stands on the ledger.
type ContractLife string

// The lives of a contract.
const (
	ContractLive     ContractLife = "LIVE"
	ContractExpiring ContractLife = "EXPIRING" // Its time to live ends within RenewAhead.
	ContractArchived ContractLife = "ARCHIVED" // Its time to live is over; it can be restored.
	ContractMissing  ContractLife = "MISSING"  // There is none.
	ContractForeign  ContractLife = "FOREIGN"  // There is one, and it is not the tenant's.
)

// Lifetimes are counted in ledgers, of five seconds on the public network.
const (
	ledgersPerDay = 17_280
	// RenewAhead is how many ledgers before its end a contract's life is extended.
	RenewAhead = 30 * ledgersPerDay
	// ExpiresSoon is how many ledgers before its end somebody should act who has nobody
	// looking after contracts. Test networks give a new contract a week.
	ExpiresSoon = 5 * ledgersPerDay
	// RenewTo is for how many ledgers from now it is extended: what the public network
	// gives a new contract.
	RenewTo = 120 * ledgersPerDay
)

// ContractState is what one look at the ledger showed of a tenant's contract.
type ContractState struct {
	TenantID   uuid.UUID
	ContractID string
	Ledger     uint32 // Of the look.
	Life       ContractLife
	LiveUntil  uint32 // The last ledger in which instance and code both live; 0 when one does not.
	Codeless   bool   // With ContractArchived: the code is archived, and perhaps the instance.
	WasmHash   string // SHA-256 of its code, hex.
	Outdated   bool   // Its code is an earlier release's.
	Fault      string // With ContractForeign: what differs.
	Archived   bool   // What it says of its tenant.
	Anchor     Anchor // The newest; zero: none.
}

// Anchor is an event of an audit chain, as a contract keeps it.
type Anchor struct {
	Seq    int64    // The event's number in its tenant's chain.
	Root   [32]byte // Its hash, which covers all before it.
	Ledger uint32   // In which it was anchored; 0 while it is not.
}

// ContractChange is one call of a tenant's contract that changes it.
type ContractChange struct {
	Purpose  TransactionPurpose // PurposeStatus, PurposeAnchor or PurposeUpgrade.
	Archived bool               // With PurposeStatus: what it is to say.
	Anchor   Anchor             // With PurposeAnchor.
}

// ContractKeeper keeps contracts that exist: it reads many at once, and changes
// them. Each change is repeated safely; what is as it should be costs nothing.
type ContractKeeper interface {
	// ReadContracts tells where the tenants' contracts stand, in their order. It pays
	// nothing. KindTransient when the network does not answer.
	ReadContracts(ctx context.Context, tenants []Tenant) ([]ContractState, error)
	// RenewContracts restores those of the contracts that are archived and extends the
	// life of those that are EXPIRING, their code's with them, many in a transaction.
	// What was done is told also with an error, which joins all that went wrong.
	RenewContracts(ctx context.Context, journal Journal, contracts []ContractState) (Renewal, error)
	// ChangeContract makes one change of one contract and gives its fee in stroops.
	// KindPermanent when the contract refuses it.
	ChangeContract(ctx context.Context, journal Journal, tenant uuid.UUID, change ContractChange) (int64, error)
	// Deploy makes a contract that is missing, on a network that was begun anew.
	Deploy(ctx context.Context, t Tenant, journal Journal) (Contract, error)
	// TendChannels looks after the channel accounts. See ChannelCare.
	TendChannels(ctx context.Context, journal Journal) (ChannelCare, error)
	// ContractID tells, without a network, which address a tenant's contract has.
	ContractID(tenant uuid.UUID) (string, error)
	// CodeHash is the code that contracts should run, SHA-256 in hex.
	CodeHash() string
	// Supersedes reports whether that is the code of an earlier release.
	Supersedes(hash string) bool
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

// ChannelCare is what a look after the channels found and did.
type ChannelCare struct {
	Channels       []Channel // As they are now; none when none are set.
	Made, ToppedUp int
	FeeCharged     int64 // Stroops.
	Deployer       int64 // The deployer's own balance, in stroops.
}

// ContractRecord is what the registry knows of a tenant's contract.
type ContractRecord struct {
	ContractState
	CheckedAt  time.Time // When the state was read; zero: never.
	AnchoredAt time.Time // When the anchor was seen first.
	DueAt      time.Time // When it is looked at again.
	Tries      int       // Looks in a row that left something undone.
	Problem    string    // What was left undone, and why; empty: nothing.
	UpgradeTo  string    // Hash of the code that it is to run; empty: no other.
	Dropped    string    // A plan to upgrade that is void: a later release's code is wanted, or runs.
}

// ContractDuty is a contract that has to be looked at.
type ContractDuty struct {
	Tenant Tenant
	Known  ContractRecord
	Head   Anchor // The newest event of the tenant's audit chain.
}

// ContractQuery chooses contracts.
type ContractQuery struct {
	Tenants []uuid.UUID   // Those alone, due or not; empty: those that are due.
	Upgrade string        // Of those that are due, the ones that are to run this code; empty: all.
	PutOff  time.Duration // For that long nobody else gets them as due.
	Limit   int
}

// ContractBook is what the registry knows of contracts. All its methods may be
// called by many processes at once: what one of them has taken, no other gets.
type ContractBook interface {
	// Upkeep is the memory for transactions that no run needs.
	Upkeep() Journal
	// AdoptContracts adds contracts that are not in the book yet, of these tenants or,
	// without any, of all, and counts them.
	AdoptContracts(ctx context.Context, tenants ...uuid.UUID) (int, error)
	// TakeContracts gives contracts of tenants that are not purged.
	TakeContracts(ctx context.Context, q ContractQuery) ([]ContractDuty, error)
	// RecordContracts writes what is known of contracts now, and when they are due.
	RecordContracts(ctx context.Context, records []ContractRecord) error
	// PlanUpgrade has contracts of other code upgraded to this one, all of them or
	// those of these tenants, and counts them.
	PlanUpgrade(ctx context.Context, hash string, tenants []uuid.UUID) (int, error)
	// ContractsAfter pages through all contracts of tenants that are not purged, by
	// tenant id; uuid.Nil begins. Nothing is taken by it.
	ContractsAfter(ctx context.Context, after uuid.UUID, limit int) ([]ContractDuty, error)
	// UpgradesLeft counts contracts that wait for an upgrade to this code, and those of
	// them whose last try failed.
	UpgradesLeft(ctx context.Context, hash string) (waiting, stuck int, err error)
	// PutBack has contracts looked at by others, from some time on. Nothing else about
	// them changes.
	PutBack(ctx context.Context, tenants []uuid.UUID, until time.Time) error
	// BrokenChains gives those of the contracts whose anchor does not fit their
	// tenant's audit chain, and says why. Contracts without an anchor fit.
	BrokenChains(ctx context.Context, contracts []ContractState) (map[uuid.UUID]string, error)
	// RecordDeployer writes the deployer's balance, in stroops.
	RecordDeployer(ctx context.Context, networkID, address string, balance int64) error
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

// StellarFigures are what the registry knows of the network's side, for operations.
type StellarFigures struct {
	Deployer     int64 // The deployer's balance when it was looked at, stroops; 0: unknown.
	Channels     []Channel
	Transactions map[TransactionPurpose]int64 // Applied so far, with or without success.
	Stroops      map[TransactionPurpose]int64 // What they cost.
	Contracts    map[ContractLife]int64       // As they were when they were looked at last.
	Undone       int64                        // Contracts for which something was left undone.
	Spend        SpendHistogram
}

// SpendHistogram tells how much tenants have cost, each over all its transactions.
type SpendHistogram struct {
	Bounds  []float64 // Upper bounds in stroops, rising.
	Below   []uint64  // Tenants up to each bound, those of lower ones included.
	Tenants uint64
	Stroops float64
}
