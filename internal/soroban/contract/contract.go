// Package contract holds the smart contract that stands for one tenant on the
// ledger, as WebAssembly.
//
// The sources are the Rust crate in this folder. What is committed is what they
// give, byte for byte, with the compiler that tenant_contract.digest names:
// "build.sh --check" shows it, and a test fails when the sources have changed
// since. Nobody needs Rust who only uses the contract.
//
// The hash is what the ledger knows the code by. A contract whose instance names
// another hash runs other code.
package contract

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
)

//go:embed tenant_contract.wasm
var wasm []byte

// Error numbers of the contract. They never change.
const (
	// ErrNotConstructed means that a value is absent which the constructor sets.
	ErrNotConstructed uint32 = 7200
	// ErrAnchorOutOfOrder refuses an anchor that is not newer than the newest.
	ErrAnchorOutOfOrder uint32 = 7201
)

// Values of the contract's status.
const (
	// StatusActive: the tenant is in service.
	StatusActive uint32 = 0
	// StatusSuspended: the tenant is out of service for a time.
	StatusSuspended uint32 = 1
	// StatusArchived: the tenant is out of service. Its data is kept.
	StatusArchived uint32 = 2
)

// Wasm returns the contract's code, the caller's own copy.
func Wasm() []byte { return bytes.Clone(wasm) }

// Hash returns the SHA-256 of Wasm.
func Hash() [32]byte { return sha256.Sum256(wasm) }

// Predecessors are the hashes of earlier releases' code. Contracts that run one of
// them are known as the platform's own, and can be upgraded. A release that changes
// the code adds the hash of the one before.
func Predecessors() [][32]byte { return nil }
