// Package rpc calls the JSON-RPC of a stellar-rpc server. It limits the calls in flight,
// the size of a response and the time of a call, repeats read-only calls after faults,
// and turns every fault into an error with a kind.
//
// Calls whose response is the same for all callers (the network, the latest ledger, the
// current fees) are shared, and cached for a fraction of a ledger's time. The client
// measures from all responses how fast ledgers close, and sets the pauses of its callers
// accordingly.
//
// A transaction is sent once per call: after a fault only the caller knows whether the
// same bytes may be sent again.
package rpc
