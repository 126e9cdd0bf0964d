// Package stack starts everything that the product talks to, for development and
// tests: PostgreSQL, a Stellar network and a mail catcher, side by side, each on
// a free port of loopback. It is what cmd/devstack runs, and what tests use
// inside their own process.
//
// The parts are the real thing as far as each package says. Nothing of them
// outlives the process, however that ends; only PostgreSQL's data does, where a
// directory for it was given. The ledger always starts anew, and with it the
// deployer, so that nothing that a kept database remembers of an earlier ledger
// is taken for the present one's.
package stack
