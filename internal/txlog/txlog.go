// Package txlog has the transaction log: what is stored of Stellar transactions before
// they are submitted, and the leases of the accounts that carry their sequence numbers.
// A process can die at any point; the next one reads here what may be under way and
// finds out what became of it.
package txlog

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// ErrContractBusy is in the error of a Store that was refused because another
// transaction about the same contract is open: somebody else is at it. What became
// of that one is found out first.
var ErrContractBusy = errors.New("somebody else has a transaction about the contract on its way")

// Log remembers Stellar transactions from before they are sent, so that a
// process can die at any point and the next one finds out what became of them.
// A tenant's journal is bound to one run: its writes return KindFenced once that
// run was overtaken, and then nothing may be sent.
//
// networkID is the SHA-256 of the network's passphrase in hex: one address has
// different sequence numbers on different networks.
type Log interface {
	// Account leases the account whose sequence numbers the caller is about to
	// use, waiting for whoever has it (an account can have one transaction in
	// flight). The lease is renewed for as long as the holder lives and ends with
	// Release, or by itself when the process dies.
	Account(ctx context.Context, networkID, address string) (AccountLease, error)
	// Channel leases any of a deployer's channel accounts whose index is below
	// count and that has a balance of so many stroops as far as is known, waiting until
	// one is free. Among the free ones those come first that nobody has left a
	// transaction on. KindNotFound when there is none to wait for: they have to be made,
	// funded or looked after.
	Channel(ctx context.Context, networkID, deployer string, count int, least int64) (AccountLease, error)
	// ContractHistory gives what is known of a contract's transactions, whichever account
	// carried them.
	ContractHistory(ctx context.Context, networkID, contractID string) (ContractHistory, error)
	// Resolve records what became of a transaction that About has shown. A
	// transaction that is resolved already stays as it is.
	Resolve(ctx context.Context, hash string, outcome Outcome) error
	// Channels lists the deployer's channel accounts by index, also those above
	// the number that is set now.
	Channels(ctx context.Context, networkID, deployer string) ([]Channel, error)
	// StoreChannels writes what the ledger says of channel accounts: new ones are
	// added; of known ones balance and fitness change, and the sequence number where
	// nobody has the account.
	StoreChannels(ctx context.Context, networkID, deployer string, channels []Channel) error
}

// ContractHistory is what the journal knows of one contract.
type ContractHistory struct {
	Open   []Transaction // Without a recorded outcome, oldest first.
	Ledger uint32        // The newest in which one was applied; 0: none was. Older views are stale.
	AsOf   time.Time     // When this was so, by the registry's clock.
}

// AccountLease is the exclusive use of one Stellar account's sequence numbers.
type AccountLease interface {
	// Address is the leased account (G...).
	Address() string
	// Channel is the account's index among its deployer's channels, -1 for the
	// deployer itself.
	Channel() int
	// Unresolved gives the transactions of this account, of any tenant, whose
	// outcome nobody has recorded, oldest first. They come before anything new.
	Unresolved() []Transaction
	// Sequence is the last sequence number known to be used, 0 when unknown.
	Sequence() int64
	// AppliedSequence is the highest sequence number of a transaction of the account that is
	// known to be applied. A server that knows a lower one is behind, or its network was
	// begun anew.
	AppliedSequence() int64
	// Balance is what a channel had when somebody looked, less what it paid since,
	// in stroops; 0 when unknown.
	Balance() int64
	// Store commits a signed transaction. Only after that may it be sent. KindTransient
	// with ErrContractBusy while another transaction about the same contract is open, or
	// when one was applied since AsOf: what was built before may not fit any more.
	Store(ctx context.Context, tx Transaction) error
	// StoreFeeBump replaces an open transaction's envelope by one that wraps the same
	// transaction at a higher fee. Only after that may it be sent.
	StoreFeeBump(ctx context.Context, hash, envelope string, maxFee int64) error
	// Resolve records what became of a transaction.
	Resolve(ctx context.Context, hash string, outcome Outcome) error
	// Release gives the account back. It works also after ctx was cancelled.
	Release(ctx context.Context, r AccountRelease) error
}

// AccountRelease says in what state an account is given back.
type AccountRelease struct {
	Sequence       int64         // The last one used, 0 when the next user has to ask the network.
	Quarantine     time.Duration // Not to be used for that long: what became of a transaction is not known.
	DisabledReason string        // Why nobody can use it until it was looked after; empty: it is fit.
}

// Channel is a channel account: it carries the sequence number, and pays the fee,
// of transactions whose operation is the deployer's.
type Channel struct {
	Index            int
	Address          string // G...
	Sequence         int64  // The last one used; 0: ask the network.
	Balance          int64  // Stroops.
	DisabledReason   string // Why nobody can use it; empty: it is fit.
	CheckedAt        time.Time
	LeasedUntil      time.Time // Zero: nobody has it.
	QuarantinedUntil time.Time // Until when; zero: it is not.
	Open             int       // Transactions without an outcome.
	Submitted        int       // Transactions that it carried so far.
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

// ChannelStates are all of them.
func ChannelStates() []ChannelState {
	return []ChannelState{ChannelFree, ChannelInUse, ChannelQuarantined, ChannelDisabled}
}

// State tells whether the channel can be used.
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
	Envelope        string // TransactionEnvelope XDR, base64; the newest, when it was outbid.
	Source          string // G... of the account that carries the sequence number.
	Sequence        int64
	Purpose         Purpose
	TenantID        uuid.UUID // Whose it is; uuid.Nil when it is no single tenant's. A run's journal knows by itself.
	ContractID      string    // Empty when it is about no contract, or about several.
	NetworkID       string    // SHA-256 of the passphrase, hex.
	ValidUntil      time.Time // Its maxTime. Dead only once a ledger has closed after it.
	SubmittedLedger uint32    // The latest ledger when it was built.
	MaxFee          int64     // Stroops: the most it can cost.
	AsOf            time.Time // What was known of the contract when it was built, as ContractHistory says; zero: nothing has to be.
}

// Purpose says what a transaction is for.
type Purpose string

// The purposes of transactions.
const (
	PurposeUpload  Purpose = "UPLOAD"  // The contract's wasm, once per network.
	PurposeCreate  Purpose = "CREATE"  // A tenant's contract.
	PurposeRestore Purpose = "RESTORE" // Archived ledger entries.
	PurposeExtend  Purpose = "EXTEND"  // Time to live.
	PurposeFund    Purpose = "FUND"    // Channel accounts: their creation and their lumens.
	PurposeStatus  Purpose = "STATUS"  // Whether the contract says that its tenant is served.
	PurposeAnchor  Purpose = "ANCHOR"  // The head of the audit chain.
	PurposeUpgrade Purpose = "UPGRADE" // Other code for a tenant's contract.
)

// Outcome is what became of a transaction.
type Outcome struct {
	State      State
	Ledger     uint32 // Where it was applied.
	FeeCharged int64  // Stroops.
	Detail     string // The result code, as txBAD_SEQ.
}

// State is the end of a transaction's way.
type State string

// The ends of a transaction's way.
const (
	StateSigned    State = "SIGNED"    // Stored; sent or not, nobody knows yet.
	StateSucceeded State = "SUCCEEDED" // Applied with success.
	StateFailed    State = "FAILED"    // Applied, fee charged, no effect.
	StateRejected  State = "REJECTED"  // Refused before it was queued; no fee.
	StateExpired   State = "EXPIRED"   // Never applied and never can be.
)
