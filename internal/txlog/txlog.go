// Package txlog defines the transaction log, which stores Stellar transactions before
// they are submitted, and the leases of their source accounts. A process can die at any
// point; the next one reads the open transactions from the log and resolves them.
package txlog

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// ErrContractBusy is wrapped in the error of Store when another transaction about the same
// contract is open. The outcome of that one must be resolved first.
var ErrContractBusy = errors.New("another transaction about the contract is open")

// Log stores Stellar transactions before they are submitted, so that a process can die at
// any point and the next one can resolve them. A tenant's log is bound to one run: its
// writes return KindFenced once that run was superseded, and then nothing may be submitted.
//
// networkID is the SHA-256 of the network's passphrase in hex: one address has
// different sequence numbers on different networks.
type Log interface {
	// RegistryID is the id of the registry that has the log. It never changes. Channel
	// accounts belong to one registry, and so do its transactions.
	RegistryID(ctx context.Context) (uuid.UUID, error)
	// Account leases the account whose sequence numbers the caller is about to use, and
	// waits while another process holds it (an account can have one transaction in
	// flight). The lease is renewed until Release, and expires when the process dies.
	Account(ctx context.Context, networkID, address string) (AccountLease, error)
	// Channel leases any of a deployer's channel accounts whose index is below
	// count and whose recorded balance is at least least stroops, and waits until one is
	// free. It prefers accounts without an open transaction. KindNotFound when there is
	// none to wait for: the accounts must be created, funded or enabled.
	Channel(ctx context.Context, networkID, deployer string, count int, least int64) (AccountLease, error)
	// ContractHistory returns the recorded transactions of a contract, from all source
	// accounts.
	ContractHistory(ctx context.Context, networkID, contractID string) (ContractHistory, error)
	// Resolve records the outcome of a transaction of ContractHistory. A transaction that
	// is resolved already is not changed.
	Resolve(ctx context.Context, hash string, outcome Outcome) error
	// Channels lists the deployer's channel accounts by index, also those above
	// the number that is set now.
	Channels(ctx context.Context, networkID, deployer string) ([]Channel, error)
	// StoreChannels writes the state of channel accounts as read from the ledger. It adds
	// new ones; of known ones it updates balance and DisabledReason, and the sequence
	// number unless the account is leased.
	StoreChannels(ctx context.Context, networkID, deployer string, channels []Channel) error
}

// ContractHistory is the transaction log of one contract.
type ContractHistory struct {
	Open   []Transaction // Without a recorded outcome, oldest first.
	Ledger uint32        // The newest ledger in which one was applied; 0: none. Older views are stale.
	AsOf   time.Time     // When it was read, by the registry's clock.
}

// AccountLease is the exclusive use of one Stellar account's sequence numbers.
type AccountLease interface {
	LeasedAccount
	Recorder
}

// LeasedAccount is the recorded state of a leased account.
type LeasedAccount interface {
	// Address is the leased account (G...).
	Address() string
	// Channel is the account's index among its deployer's channels, -1 for the
	// deployer itself.
	Channel() int
	// Unresolved returns the transactions of this account, of any tenant, whose outcome
	// is not recorded, oldest first. Resolve them before a new transaction.
	Unresolved() []Transaction
	// Sequence is the last sequence number known to be used, 0 when unknown.
	Sequence() int64
	// AppliedSequence is the highest sequence number of a transaction of the account that is
	// known to be applied. A server that returns a lower one lags, or its network was
	// reset.
	AppliedSequence() int64
	// Balance is the channel's balance as last read, less the fees since, in stroops; 0
	// when unknown.
	Balance() int64
}

// Recorder records transactions of a leased account, and returns the account.
type Recorder interface {
	// Store commits a signed transaction. Only after that may it be sent. KindTransient
	// with ErrContractBusy while another transaction about the same contract is open, or
	// when one was applied since AsOf: the transaction may be based on an outdated state.
	Store(ctx context.Context, tx Transaction) error
	// StoreFeeBump replaces an open transaction's envelope by one that wraps the same
	// transaction at a higher fee. It must be called before the submission.
	StoreFeeBump(ctx context.Context, hash, envelope string, maxFee int64) error
	// Resolve records the outcome of a transaction.
	Resolve(ctx context.Context, hash string, outcome Outcome) error
	// Release ends the lease. It works also after ctx was cancelled.
	Release(ctx context.Context, r AccountRelease) error
}

// AccountRelease is the state of a released account.
type AccountRelease struct {
	Sequence       int64         // The last one used; 0: the next holder must read it from the network.
	Quarantine     time.Duration // How long it is not used: the outcome of a transaction is unknown.
	DisabledReason string        // Why it cannot be used until it is repaired; empty: it can be used.
}

// Channel is a channel account: the source of transactions whose operation is the
// deployer's. It provides the sequence number and pays the fee.
type Channel struct {
	Index            int
	Address          string // G...
	Sequence         int64  // The last one used; 0: read it from the network.
	Balance          int64  // Stroops.
	DisabledReason   string // Why it cannot be used; empty: it can be used.
	CheckedAt        time.Time
	LeasedUntil      time.Time // Zero: it is not leased.
	QuarantinedUntil time.Time // Zero: it is not quarantined.
	Open             int       // Transactions without an outcome.
	Applied          int       // Its applied transactions.
}

// ChannelState says whether a channel can be used.
type ChannelState string

// The states of a channel.
const (
	ChannelFree        ChannelState = "free"
	ChannelInUse       ChannelState = "in_use"
	ChannelQuarantined ChannelState = "quarantined" // Until the outcome of its last transaction is known.
	ChannelDisabled    ChannelState = "disabled"    // Until it was repaired or funded.
)

// ChannelStates lists all states of a channel.
func ChannelStates() []ChannelState {
	return []ChannelState{ChannelFree, ChannelInUse, ChannelQuarantined, ChannelDisabled}
}

// State returns the state of the channel.
func (c Channel) State() ChannelState {
	switch {
	case c.DisabledReason != "":
		return ChannelDisabled
	case !c.LeasedUntil.IsZero():
		return ChannelInUse
	case !c.QuarantinedUntil.IsZero():
		return ChannelQuarantined
	}
	return ChannelFree
}

// Transaction is a signed transaction as it is stored before it is sent.
type Transaction struct {
	Hash            string // Hex, 64 digits: the transaction's identity on the network.
	Envelope        string // TransactionEnvelope XDR, base64; the newest after fee bumps.
	Source          string // The source account, G...
	Sequence        int64
	Purpose         Purpose
	TenantID        uuid.UUID // The tenant; uuid.Nil: none, or several. The log of a run sets it.
	ContractID      string    // Empty: none, or several.
	NetworkID       string    // SHA-256 of the passphrase, hex.
	ValidUntil      time.Time // Its maxTime. It has expired only once a ledger has closed after that.
	SubmittedLedger uint32    // The latest ledger when it was built.
	MaxFee          int64     // The maximum cost in stroops.
	AsOf            time.Time // ContractHistory.AsOf of the history on which it is based; zero: none.
}

// Purpose says what a transaction is for.
type Purpose string

// The purposes of transactions.
const (
	PurposeUpload  Purpose = "UPLOAD"  // The contract's wasm, once per network.
	PurposeCreate  Purpose = "CREATE"  // A tenant's contract.
	PurposeRestore Purpose = "RESTORE" // Archived ledger entries.
	PurposeExtend  Purpose = "EXTEND"  // Time to live.
	PurposeFund    Purpose = "FUND"    // Creation and funding of channel accounts.
	PurposeStatus  Purpose = "STATUS"  // The status in a tenant's contract.
	PurposeAnchor  Purpose = "ANCHOR"  // The head of the audit chain.
	PurposeUpgrade Purpose = "UPGRADE" // Another code for a tenant's contract.
)

// Outcome is the outcome of a transaction.
type Outcome struct {
	State      State
	Ledger     uint32 // The ledger that applied it.
	FeeCharged int64  // Stroops.
	Detail     string // The result code, such as txBAD_SEQ.
}

// State is the state of a transaction.
type State string

// The states of a transaction.
const (
	StateSigned    State = "SIGNED"    // Stored, perhaps submitted; the outcome is unknown.
	StateSucceeded State = "SUCCEEDED" // Applied with success.
	StateFailed    State = "FAILED"    // Applied, fee charged, no effect.
	StateRejected  State = "REJECTED"  // Refused before it was queued; no fee.
	StateExpired   State = "EXPIRED"   // Never applied and never can be.
)
