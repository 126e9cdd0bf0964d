// Package soroban deploys tenant contracts to a Stellar network, changes, renews and
// reads them. It implements the ports of provisioning, contracts and verification.
//
// A contract's address follows from the network, the deployer's account and the tenant's
// id (see ContractID), so the ledger itself shows what exists already. Every deployment
// repeats one loop: read the ledger, take the next missing step (restore archived
// entries, upload the code, create the contract), check the result, read again. The loop
// ends when the ledger shows the contract with the right code and the values its
// constructor got; nothing else counts as success. A process may stop at any point: the
// next one neither deploys twice nor pays twice (see txsubmit).
//
// Below it are three packages: rpc calls the server, ledger reads, txsubmit sends
// transactions. Each imports only those before it.
package soroban
