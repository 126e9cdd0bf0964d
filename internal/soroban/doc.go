// Package soroban deploys tenant contracts to a Stellar network, through the
// JSON-RPC of stellar-rpc. It implements provisioning.ContractDeployer.
//
// A contract's address follows from the network, the deployer's account and the
// tenant's id (see ContractID), so the ledger itself answers what is there
// already. Every deployment goes round one loop: read the ledger, take the
// next step that is missing (restore what is archived, upload the code, create
// the contract), see what became of it, look again. The loop ends when the
// ledger shows the contract with the right code and the values its constructor
// was given; nothing else counts as success.
//
// What is guaranteed: a transaction is in the journal before it is sent, and a
// new one is signed only when the one before it is known to be applied, refused
// or dead. It is dead only once a ledger has closed after its last moment and the
// server still remembers all ledgers in which it could have been. Until then
// the same bytes are sent again and nothing else. So a process may stop
// anywhere, and the next one neither deploys twice nor pays twice.
//
// What is known of a transaction is one of the states in tx_state.go. The table there
// says what follows from each answer of the network; txTracker does it.
//
// What is not guaranteed: nothing can be taken back, and a transaction that is on its way
// when ctx ends may still be applied. The next call finds out.
//
// One account has one transaction in flight, so deployments that share a
// deployer follow one another, a ledger each.
package soroban
