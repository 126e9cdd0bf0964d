//go:build unix

package registrytest

import (
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// Transaction is a transaction in the transaction log, and its outcome.
type Transaction struct {
	txlog.Transaction
	txlog.Outcome
}

// Transactions are transactions of the transaction log, the oldest first.
type Transactions []Transaction

// TransactionLog returns the transactions of tenants, or all.
func (r *Registry) TransactionLog(tenantIDs ...string) Transactions {
	r.t.Helper()
	rows, _ := r.conn.Query(r.ctx(), `SELECT hash, envelope, source, sequence, purpose, coalesce(tenant_id, '00000000-0000-0000-0000-000000000000'),
			coalesce(contract_id, ''), max_fee, state, coalesce(ledger, 0), coalesce(fee_charged, 0)
		FROM stellar_transactions WHERE cardinality($1::text[]) = 0 OR tenant_id::text = ANY($1) ORDER BY created_at`, texts(tenantIDs))
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (x Transaction, err error) {
		err = row.Scan(&x.Hash, &x.Envelope, &x.Source, &x.Sequence, &x.Purpose, &x.TenantID, &x.ContractID, &x.MaxFee, &x.State, &x.Ledger, &x.FeeCharged)
		return x, err
	})
	r.must(err)
	return all
}

// Of are those of a purpose.
func (all Transactions) Of(purpose txlog.Purpose) Transactions {
	return slices.DeleteFunc(slices.Clone(all), func(x Transaction) bool { return x.Purpose != purpose })
}

// In are those in one of these states.
func (all Transactions) In(states ...txlog.State) Transactions {
	return slices.DeleteFunc(slices.Clone(all), func(x Transaction) bool { return !slices.Contains(states, x.State) })
}

// Fees is what they cost, in stroops.
func (all Transactions) Fees() (stroops int64) {
	for _, x := range all {
		stroops += x.FeeCharged
	}
	return stroops
}

// Sources is the number of accounts that sent them.
func (all Transactions) Sources() int {
	sources := map[string]bool{}
	for _, x := range all {
		sources[x.Source] = true
	}
	return len(sources)
}

// Contracts are the contracts that they are about, with the number of transactions of each.
func (all Transactions) Contracts() map[string]int {
	contracts := map[string]int{}
	for _, x := range all {
		if x.ContractID != "" {
			contracts[x.ContractID]++
		}
	}
	return contracts
}

// DisableChannel disables a channel account.
func (r *Registry) DisableChannel(channel int, reason string) {
	r.t.Helper()
	r.exec(`UPDATE stellar_accounts SET disabled_reason = $2 WHERE channel = $1`, channel, reason)
}

// QuarantineChannel quarantines a channel account.
func (r *Registry) QuarantineChannel(channel int, until time.Time) {
	r.t.Helper()
	r.exec(`UPDATE stellar_accounts SET quarantined_until = $2 WHERE channel = $1`, channel, until)
}

// LeaseChannel makes a channel account in use.
func (r *Registry) LeaseChannel(channel int, until time.Time) {
	r.t.Helper()
	r.exec(`UPDATE stellar_accounts SET expires_at = $2 WHERE channel = $1`, channel, until)
}

// EndAccountLeases ends the leases of all Stellar accounts.
func (r *Registry) EndAccountLeases() {
	r.t.Helper()
	r.exec(`UPDATE stellar_accounts SET expires_at = NULL`)
}

// EndQuarantines ends the quarantines of all channel accounts.
func (r *Registry) EndQuarantines() {
	r.t.Helper()
	r.exec(`UPDATE stellar_accounts SET quarantined_until = NULL`)
}

// SetSequence sets the last sequence number of the accounts of these channels, or of all
// accounts; 0: it must be read from the network.
func (r *Registry) SetSequence(sequence int64, channels ...int) {
	r.t.Helper()
	r.exec(`UPDATE stellar_accounts SET sequence = $1 WHERE cardinality($2::int[]) = 0 OR channel = ANY($2)`, sequence, append([]int{}, channels...))
}

// ExpireRun lets the leases of a tenant and of the accounts that its run uses expire, as when
// its process was killed some time ago.
func (r *Registry) ExpireRun(tenantID string) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET run_expires_at = now() - interval '1 second' WHERE id::text = $1`, tenantID)
	r.exec(`UPDATE stellar_accounts SET expires_at = now() - interval '1 second' WHERE lease_tenant::text = $1`, tenantID)
}

// MakeContractsDue makes all contracts due for the contract reconciler.
func (r *Registry) MakeContractsDue() {
	r.t.Helper()
	r.exec(`UPDATE tenant_contracts SET due_at = now() - interval '1 second'`)
}
