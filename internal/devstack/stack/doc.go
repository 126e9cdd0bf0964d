// Package stack starts everything that the product talks to, for development and
// tests: PostgreSQL, a Stellar network and a mail catcher, side by side, each on
// a free port of loopback. It is what cmd/devstack runs, and what tests use
// inside their own process.
//
// The parts are the real thing as far as each package says. Nothing of them
// outlives the process, however that ends, but for what a directory was given
// for: PostgreSQL's data, the ledger and the deployer's key. The ledger is saved
// whenever it has changed, so that it goes on with the registry that knows its
// contracts; a stack that is killed can lose its last quarter of a second.
package stack
