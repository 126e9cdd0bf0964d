// Package ledger reads the entries of the Stellar network's ledger: accounts, contracts
// and their code. It pays and changes nothing.
//
// Reads of many callers are combined into few calls, and a call that hangs delays only
// its own callers. The entries of one read are of one ledger. The servers behind one
// address may be at different ledgers, so a caller that knows a newer state waits for it
// with Reader.WaitFor.
package ledger
