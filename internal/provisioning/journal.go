package provisioning

import (
	"context"
	"time"
)

// Journal remembers Stellar transactions from before they are sent, so that a
// process can die at any point and the next one finds out what became of them.
// It is bound to one run: its writes return KindFenced once that run was
// overtaken, and then nothing may be sent.
type Journal interface {
	// Account leases the account whose sequence numbers the caller is about to
	// use, waiting for whoever has it (an account can have one transaction in
	// flight). The lease is renewed with the run's own and ends with Release, or by
	// itself when the process dies.
	//
	// networkID is the SHA-256 of the network's passphrase in hex: one address has
	// different sequence numbers on different networks.
	Account(ctx context.Context, networkID, address string) (AccountLease, error)
}

// AccountLease is the exclusive use of one Stellar account's sequence numbers.
type AccountLease interface {
	// Unresolved gives the transactions of this account, of any tenant, whose
	// outcome nobody has recorded, oldest first. They come before anything new.
	Unresolved() []StellarTransaction
	// Sequence is the last sequence number known to be used, 0 when unknown.
	Sequence() int64
	// Store commits a signed transaction. Only after that may it be sent.
	Store(ctx context.Context, tx StellarTransaction) error
	// Resolve records what became of a transaction.
	Resolve(ctx context.Context, hash string, outcome TransactionOutcome) error
	// Release gives the account back. sequence is the last one used, 0 when the
	// next user has to ask the network. It works also after ctx was cancelled.
	Release(ctx context.Context, sequence int64) error
}

// StellarTransaction is a signed transaction as it is stored before it is sent.
type StellarTransaction struct {
	Hash            string // Hex, 64 digits: the transaction's identity on the network.
	Envelope        string // TransactionEnvelope XDR, base64.
	Source          string // G... of the account that carries the sequence number.
	Sequence        int64
	Purpose         TransactionPurpose
	ContractID      string    // Empty for an upload.
	NetworkID       string    // SHA-256 of the passphrase, hex.
	ValidUntil      time.Time // Its maxTime. Dead only once a ledger has closed after it.
	SubmittedLedger uint32    // The latest ledger when it was built.
	MaxFee          int64     // Stroops: the most it can cost.
}

// TransactionPurpose says what a transaction is for.
type TransactionPurpose string

// The purposes of transactions.
const (
	PurposeUpload  TransactionPurpose = "UPLOAD"  // The contract's wasm, once per network.
	PurposeCreate  TransactionPurpose = "CREATE"  // A tenant's contract.
	PurposeRestore TransactionPurpose = "RESTORE" // Archived ledger entries.
	PurposeExtend  TransactionPurpose = "EXTEND"  // Time to live.
)

// TransactionOutcome is what became of a transaction.
type TransactionOutcome struct {
	State      TransactionState
	Ledger     uint32 // Where it was applied.
	FeeCharged int64  // Stroops.
	Detail     string // The result code, as txBAD_SEQ.
}

// TransactionState is the end of a transaction's way.
type TransactionState string

// The ends of a transaction's way.
const (
	TransactionSigned    TransactionState = "SIGNED"    // Stored; sent or not, nobody knows yet.
	TransactionSucceeded TransactionState = "SUCCEEDED" // Applied with success.
	TransactionFailed    TransactionState = "FAILED"    // Applied, fee charged, no effect.
	TransactionRejected  TransactionState = "REJECTED"  // Refused before it was queued; no fee.
	TransactionExpired   TransactionState = "EXPIRED"   // Never applied and never can be.
)
