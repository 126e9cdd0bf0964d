// Package conformance tests the local Stellar network with widely used clients: the
// official JavaScript SDK and the official Rust CLI, unmodified. Each funds an account,
// deploys the tenant contract, calls it, reads events, extends its lifetime and restores
// it, and its results are compared with the network's state.
//
// It has only tests. The JavaScript test needs npm and, when Node.js is too old for the
// SDK, downloads one from the npm registry; both are stored in the user's cache folder.
// The CLI takes long to build and is tested by make conformance-cli.
package conformance
