// Package host runs the real Soroban host inside a Go process.
//
// The host is the crate in ./rust (soroban-env-host and soroban-simulation, the code that
// Stellar Core itself links), compiled to WebAssembly and executed by wazero, so no cgo
// and no Rust toolchain is needed to use it. The same code as on the public network
// therefore decides what a contract may do, what it costs and which ledger entries it
// uses.
//
// All data is passed as XDR bytes. The host stores no ledger: it reads entries through a
// LookupFunc while it records, and gets them in the request while it enforces. It uses
// no randomness and no clock except those in the request.
package host

import (
	"context"
	"encoding/json"
)

// LookupFunc returns the ledger entry of a LedgerKey. Both key and entry are XDR.
// liveUntil is the last ledger of the entry's lifetime, nil for entries without a TTL
// (accounts, config settings). A missing entry is (nil, nil, nil). ConfigSetting keys
// are looked up too: they have the network's costs and limits.
type LookupFunc func(key []byte) (entry []byte, liveUntil *uint32, err error)

// Ledger is the state of the ledger in which an invocation runs.
type Ledger struct {
	ProtocolVersion uint32
	Sequence        uint32
	Timestamp       uint64 // Unix seconds of the ledger close.
	NetworkID       [32]byte
	BaseReserve     uint32 // Stroops.
}

// SimulateRequest is one InvokeHostFunctionOp to run in recording mode.
type SimulateRequest struct {
	Ledger       Ledger
	HostFunction []byte   // HostFunction XDR.
	Source       []byte   // AccountId XDR of the operation's source.
	Auth         [][]byte // SorobanAuthorizationEntry XDR each; nil records authorization instead.
	PRNGSeed     [32]byte

	// AllowNonRootAuth also records authorizations that a contract requires below the
	// call that the address signs: stellar-rpc's record_allow_nonroot.
	AllowNonRootAuth bool
	// AddressV2 records the newer form of address credentials.
	AddressV2 bool
}

// SimulateResult is the result of a simulation. When the contract or the host returns an
// error, Error has the text of stellar-rpc with the event log, and all other fields
// except DiagnosticEvents are empty.
type SimulateResult struct {
	Error            string
	Result           []byte   // ScVal XDR, the return value.
	Auth             [][]byte // SorobanAuthorizationEntry XDR each.
	TransactionData  []byte   // SorobanTransactionData XDR: footprint, resources, resource fee.
	MinResourceFee   int64    // Stroops.
	Events           [][]byte // ContractEvent XDR each (contract and system).
	DiagnosticEvents [][]byte // DiagnosticEvent XDR each.
	Changes          []Change
	// RestorePreamble is SorobanTransactionData XDR of the RestoreFootprint
	// transaction that has to come first. Simulate leaves it nil, because an
	// invocation restores what it needs by itself; TransactionData says which.
	// SimulateExtendTTL sets it when one of the keys is archived.
	RestorePreamble []byte
	RestoreMinFee   int64
	CPUInstructions uint64
	MemoryBytes     uint64
}

// Change is one ledger entry before and after; nil means absent.
type Change struct {
	Key, Before, After []byte // LedgerKey, LedgerEntry, LedgerEntry XDR.
}

// EntryWithTTL is one ledger entry for an enforced invocation. Entry is nil when the key
// of the footprint does not exist.
type EntryWithTTL struct {
	Key       []byte // LedgerKey XDR.
	Entry     []byte // LedgerEntry XDR.
	LiveUntil *uint32
}

// InvokeRequest is one InvokeHostFunctionOp to run in enforcing mode, as validators
// apply it.
type InvokeRequest struct {
	Ledger            Ledger
	HostFunction      []byte   // HostFunction XDR.
	Resources         []byte   // SorobanResources XDR.
	RestoredRWIndices []uint32 // Archived entries (indices into readWrite) to restore on the way.
	Source            []byte   // AccountId XDR.
	Auth              [][]byte // SorobanAuthorizationEntry XDR each.
	PRNGSeed          [32]byte
	Entries           []EntryWithTTL // One for each footprint key, read-only first.
}

// InvokeResult is the outcome of an enforced invocation.
type InvokeResult struct {
	Error            string // Empty on success.
	ErrorIsResource  bool   // The declared resources were exceeded.
	Result           []byte // ScVal XDR.
	Entries          []EntryChange
	Events           [][]byte // ContractEvent XDR each, what goes into the transaction's meta and result hash.
	DiagnosticEvents [][]byte
	CPUInstructions  uint64
	MemoryBytes      uint64
	EventsBytes      uint32 // Size of events and return value, for the refundable fee.
	RentFee          int64  // Stroops.
}

// EntryChange is the result of an invocation for one readWrite (or TTL-bumped) key.
type EntryChange struct {
	Key          []byte // LedgerKey XDR.
	ReadOnly     bool
	New          []byte // LedgerEntry XDR; nil when deleted or, for ReadOnly, unchanged.
	Deleted      bool
	OldLiveUntil uint32 // 0 when it did not exist.
	NewLiveUntil uint32 // 0 when it has no TTL or was deleted.
}

// FootprintRequest requests the simulation of ExtendFootprintTTL or RestoreFootprint.
type FootprintRequest struct {
	Ledger   Ledger
	Keys     [][]byte // LedgerKey XDR each.
	ExtendTo uint32   // Ledgers from now; used only by SimulateExtendTTL.
}

// ResourceFeeRequest computes what a Soroban transaction costs before and after it ran.
type ResourceFeeRequest struct {
	Ledger           Ledger
	Resources        []byte // SorobanResources XDR.
	TransactionSize  uint32 // Bytes of the envelope.
	EventsBytes      uint32 // Contract events and return value.
	ArchivedRestored uint32 // Count of restored entries.
}

// ResourceFee is in stroops.
type ResourceFee struct {
	NonRefundable, Refundable int64
}

// RentChange is one entry whose rent has to be paid by ExtendFootprintTTL or RestoreFootprint.
type RentChange struct {
	IsPersistent, IsCode       bool
	OldSize, NewSize           uint32
	OldLiveUntil, NewLiveUntil uint32
}

// Host is the interface that package stellarnet uses. All methods may be called
// concurrently; lookup is called on the caller's goroutine.
type Host interface {
	Executor
	Fees
	// XDRToJSON returns one XDR value in the JSON format of SEP-51, as stellar-rpc
	// returns it for xdrFormat "json". typeName is the type's name in the Rust XDR
	// library, such as "TransactionEnvelope" or "ScVal"; every type of the protocol has
	// one. It returns an error unless the bytes are exactly one value.
	XDRToJSON(ctx context.Context, typeName string, xdr []byte) (json.RawMessage, error)
	Close(ctx context.Context) error
}

// Executor simulates and runs operations in the Soroban host.
type Executor interface {
	Simulate(ctx context.Context, lookup LookupFunc, r SimulateRequest) (SimulateResult, error)
	Invoke(ctx context.Context, lookup LookupFunc, r InvokeRequest) (InvokeResult, error)
	SimulateExtendTTL(ctx context.Context, lookup LookupFunc, r FootprintRequest) (SimulateResult, error)
	SimulateRestore(ctx context.Context, lookup LookupFunc, r FootprintRequest) (SimulateResult, error)
}

// Fees computes fees as the network does.
type Fees interface {
	ResourceFee(ctx context.Context, lookup LookupFunc, r ResourceFeeRequest) (ResourceFee, error)
	RentFee(ctx context.Context, lookup LookupFunc, l Ledger, changes []RentChange) (int64, error)
}
