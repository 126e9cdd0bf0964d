// Package stellarnet is a Stellar network of one validator inside a process: a
// ledger, JSON-RPC as stellar-rpc speaks it, a friendbot and a control of time, on
// one loopback port. The devstack and the tests use it in place of a public
// network; nothing that ships does.
//
// Real are the Soroban host, which runs contracts and prices them by the public
// network's settings (package host); signatures with weights and thresholds; fee
// bumps; sequence numbers, preconditions, reserves and fees, refunds included;
// footprints, rent, archival and restoring; the queue, in which fees compete; and
// the results, meta, events and refusals, which follow stellar-core and stellar-rpc
// at protocol 28 in content and in order. docs/local-network.md names every method,
// says how to use the network, and where it differs from a real one.
//
// Time is the caller's: ledgers close on a timer, one by one on demand, or by the
// million (CloseLedgers). Save and Options.Snapshot carry a network over to
// another process. Faults (see Faults) are on demand: lost answers, overload,
// expiry, congestion, archived contracts, an RPC that lags, forgets or is down.
package stellarnet
