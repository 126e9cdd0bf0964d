// Package stellarnet is a Stellar network with one validator inside a process: a ledger,
// JSON-RPC like stellar-rpc, a friendbot and time control, on one loopback port. The
// devstack and the tests use it instead of a public network; the provider and tenant-api
// do not contain it.
//
// These parts work as in a real network: the Soroban host, which runs contracts and
// prices them by the public network's settings (package host); signatures with weights
// and thresholds; fee bumps; sequence numbers, preconditions, reserves and fees, refunds
// included; footprints, rent, archival and restoring; the queue, in which fees compete;
// and the results, meta, events and rejections, which follow stellar-core and
// stellar-rpc at protocol 28 in content and order. docs/local-network.md lists every
// method, and describes the use of the network and its differences from a real one.
//
// The caller controls time: ledgers close on a timer, one by one on demand, or by the
// million (CloseLedgers). Save and Options.Snapshot move a network to another process.
// Faults (see Faults) are injected on demand: lost responses, overload, expiry,
// congestion, archived contracts, an RPC that lags, loses its history or is down.
package stellarnet
