// Package conformance holds the local Stellar network to the clients that people
// use: the official JavaScript SDK and the official Rust CLI, unmodified. Each
// funds an account, deploys the tenant contract, calls it, reads events, extends
// its lifetime and restores it, and what it reports is compared with what the
// network holds.
//
// It has tests only. The JavaScript one needs npm and, where Node.js is older
// than the SDK wants, fetches one from the npm registry; both stay in the user's
// cache folder. The CLI one takes a long build and runs by make conformance-cli.
package conformance
