// Package txsubmit signs, sends and tracks transactions on a Stellar network, with one
// deployer account and its channel accounts.
//
// Guaranteed: a transaction is in the transaction log before it is sent, and a new one is signed
// only when the one before it is known to be applied, rejected or expired. It has
// expired only once a ledger has closed after the end of its validity and the server
// still has all ledgers in which it could have been. Until then only the same bytes are
// sent again. So a process may stop at any point, and the next one neither does the
// same thing twice nor pays twice.
//
// The state of a transaction is one of those in tx_state.go. The table there defines the
// transition for each response of the network; txTracker follows it.
//
// Not guaranteed: nothing can be undone, and a transaction that was sent when ctx ends
// may still be applied. The next session resolves it.
//
// One account has one transaction in flight, so sessions that share an account wait for
// each other, one transaction per ledger.
package txsubmit
