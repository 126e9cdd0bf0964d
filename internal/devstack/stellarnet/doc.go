// Package stellarnet is a Stellar network of one validator inside a process: a
// ledger, JSON-RPC as stellar-rpc speaks it, and a friendbot, on one loopback
// port. The devstack and the tests use it in place of a public network; nothing
// that ships does.
//
// Real are the Soroban host, which runs contracts and prices them by the public
// network's settings (package host); signatures with weights and thresholds;
// sequence numbers, preconditions, reserves and fees, refunds included;
// footprints, rent, archival and restoring; the queue with one transaction per
// source account; and the results, meta and refusals, which follow stellar-core
// at protocol 28 in content and in order.
//
// It differs from the public network as follows. There is no consensus, no
// surge pricing (contract transactions that find no room in a ledger wait for
// the next) and no history archive: the retention window is all there is.
// Operations are CreateAccount, Payment of lumens, SetOptions, BumpSequence,
// InvokeHostFunction, ExtendFootprintTTL and RestoreFootprint; others are
// refused with opNOT_SUPPORTED, fee bumps with txNOT_SUPPORTED. Signers are
// Ed25519 keys alone. Close times do not run ahead of the clock, so ledgers that
// close faster than once a second may share one. The bucket list hash is no
// Merkle root. A transaction that nobody lets into a ledger waits until it
// expires, where stellar-core gives up after four. Fund and the friendbot close
// a ledger for themselves. The RPC knows XDR in base64 alone, and neither
// getEvents, getTransactions nor getLedgers yet.
//
// Faults (see Faults) are on demand: lost answers, overload, expiry, archived
// contracts, an RPC that lags, forgets or is down.
package stellarnet
