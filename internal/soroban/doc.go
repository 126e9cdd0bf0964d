// Package soroban deploys tenant contracts to a Stellar network, through the
// JSON-RPC of stellar-rpc. It implements provisioning.ContractDeployer.
//
// A contract's address follows from the network, the deployer's account and the tenant's
// id (see ContractID), so the ledger itself shows what exists already. Every deployment
// repeats one loop: read the ledger, take the next missing step (restore archived
// entries, upload the code, create the contract), check the result, read again. The loop
// ends when the ledger shows the contract with the right code and the values its
// constructor got; nothing else counts as success.
//
// Guaranteed: a transaction is in the journal before it is sent, and a new one is signed
// only when the one before it is known to be applied, rejected or expired. It has
// expired only once a ledger has closed after the end of its validity and the server
// still has all ledgers in which it could have been. Until then only the same bytes are
// sent again. So a process may stop at any point, and the next one neither deploys twice
// nor pays twice.
//
// The state of a transaction is one of those in tx_state.go. The table there defines the
// transition for each response of the network; txTracker follows it.
//
// Not guaranteed: nothing can be undone, and a transaction that was sent when ctx ends
// may still be applied. The next call resolves it.
//
// One account has one transaction in flight, so deployments that share a deployer run
// one after another, one per ledger.
package soroban
