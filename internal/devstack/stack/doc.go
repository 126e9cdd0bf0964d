// Package stack starts all services that the product uses, for development and tests:
// PostgreSQL, a Stellar network and a mail catcher, in parallel, each on a free port of
// loopback. cmd/devstack runs it, and tests use it in their process.
//
// The package of each part describes how it differs from a real service. When the process
// ends, in whatever way, only the content of DataDir stays: PostgreSQL's data, the ledger
// and the deployer's key. The ledger is saved whenever it has changed, so that it matches
// the registry, which has its contracts; a killed stack can lose its last quarter of a
// second.
package stack
