// Package contract contains the smart contract of a tenant, as WebAssembly.
//
// The sources are the Rust crate in this folder. The committed file is reproducible byte
// for byte with the compiler that tenant_contract.digest names: "build.sh --check"
// verifies it, and a test fails when the sources have changed since. Using the contract
// does not require Rust.
//
// The ledger identifies code by its hash. A contract whose instance names another hash
// runs other code.
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
	// ErrNotConstructed means that a value is missing that the constructor sets.
	ErrNotConstructed uint32 = 7200
	// ErrAnchorOutOfOrder means that an anchor is not newer than the newest one.
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

// Wasm returns a copy of the contract's code.
func Wasm() []byte { return bytes.Clone(wasm) }

// Hash returns the SHA-256 of Wasm.
func Hash() [32]byte { return sha256.Sum256(wasm) }

// Predecessors are the hashes of earlier releases' code. Contracts that run one of them
// are valid and can be upgraded. A release that changes the code adds the hash of the one
// before.
func Predecessors() [][32]byte { return nil }
