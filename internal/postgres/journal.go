package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// accountPoll is how often a busy account is asked for again.
const accountPoll = 100 * time.Millisecond

// Journal is the memory for the Stellar transactions of one run.
func (db *DB) Journal(r provisioning.Run) provisioning.Journal { return journal{db: db, run: r} }

type journal struct {
	db  *DB
	run provisioning.Run
}

// Account leases an account, waiting for whoever has it.
func (j journal) Account(ctx context.Context, networkID, address string) (provisioning.AccountLease, error) {
	const op = "lease Stellar account"
	for {
		lease, free, err := j.tryAccount(ctx, networkID, address)
		if err != nil {
			return nil, failure(err, op)
		}
		if free {
			return lease, nil
		}
		wait := accountPoll/2 + rand.N(accountPoll) //nolint:gosec // jitter, not a secret
		if err := (provisioning.SystemClock{}).Sleep(ctx, wait); err != nil {
			return nil, failure(err, op)
		}
	}
}

func (j journal) tryAccount(ctx context.Context, networkID, address string) (*account, bool, error) {
	a := &account{journal: j, networkID: networkID, address: address}
	free := false
	err := j.db.inTx(ctx, "lease Stellar account", func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `WITH run AS (
				SELECT id, run_epoch, run_expires_at FROM tenants WHERE id = $1 AND run_epoch = $2 AND undo IS NULL
			)
			INSERT INTO stellar_accounts AS a (network_id, address, lease_tenant, lease_epoch, expires_at)
			SELECT $3::text, $4::text, id, run_epoch, run_expires_at FROM run
			ON CONFLICT (network_id, address) DO UPDATE
			SET lease_tenant = excluded.lease_tenant, lease_epoch = excluded.lease_epoch, expires_at = excluded.expires_at
			WHERE a.expires_at IS NULL OR a.expires_at < clock_timestamp()
			   OR a.lease_tenant = $1 AND a.lease_epoch = $2
			RETURNING sequence`, j.run.Tenant.ID, j.run.Epoch, networkID, address).Scan(&a.sequence)
		if errors.Is(err, pgx.ErrNoRows) {
			return j.stillMine(ctx, tx)
		}
		if err != nil {
			return err
		}
		free = true
		a.unresolved, err = unresolved(ctx, tx, networkID, address)
		return err
	})
	return a, free, err
}

// stillMine keeps a run that was overtaken from waiting for an account.
func (j journal) stillMine(ctx context.Context, tx pgx.Tx) error {
	var one int
	return fencedIfNone(tx.QueryRow(ctx, `SELECT 1 FROM tenants WHERE id = $1 AND run_epoch = $2 AND undo IS NULL`,
		j.run.Tenant.ID, j.run.Epoch).Scan(&one))
}

func unresolved(ctx context.Context, tx pgx.Tx, networkID, address string) ([]provisioning.StellarTransaction, error) {
	rows, err := tx.Query(ctx, `SELECT hash, envelope, source, sequence, purpose::text, coalesce(contract_id, ''), network_id,
			valid_until, submitted_ledger, max_fee
		FROM stellar_transactions WHERE network_id = $1 AND source = $2 AND state = 'SIGNED' ORDER BY sequence, created_at`,
		networkID, address)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (t provisioning.StellarTransaction, err error) {
		err = r.Scan(&t.Hash, &t.Envelope, &t.Source, &t.Sequence, &t.Purpose, &t.ContractID, &t.NetworkID,
			&t.ValidUntil, &t.SubmittedLedger, &t.MaxFee)
		return t, err
	})
}

// account is a leased Stellar account.
type account struct {
	journal
	networkID, address string
	sequence           int64
	unresolved         []provisioning.StellarTransaction
}

// Unresolved gives the account's transactions whose outcome nobody recorded.
func (a *account) Unresolved() []provisioning.StellarTransaction { return a.unresolved }

// Sequence is the last sequence number known to be used.
func (a *account) Sequence() int64 { return a.sequence }

// holds matches the account's row only while run and lease are this run's.
const holds = `FROM tenants t JOIN stellar_accounts a ON a.lease_tenant = t.id AND a.lease_epoch = t.run_epoch
	WHERE t.id = $1 AND t.run_epoch = $2 AND t.undo IS NULL AND a.network_id = $3::text AND a.address = $4::text`

// Store commits a signed transaction before it is sent. One that was refused and
// is built again within the same second is the same transaction: it is open again.
// One that ended otherwise can only be built again by somebody who was told old
// news, and stays as it is.
func (a *account) Store(ctx context.Context, t provisioning.StellarTransaction) error {
	const op = "store transaction"
	pool, err := a.db.ready(ctx)
	if err != nil {
		return err
	}
	var open bool
	err = pool.QueryRow(ctx, `INSERT INTO stellar_transactions AS x (hash, envelope, source, sequence, purpose, tenant_id,
			contract_id, network_id, valid_until, submitted_ledger, max_fee)
		SELECT $5::text, $6::text, $4::text, $7::bigint, $8::stellar_transaction_purpose, t.id, nullif($9::text, ''),
		       $3::text, $10::timestamptz, $11::bigint, $12::bigint `+holds+`
		ON CONFLICT (hash) DO UPDATE SET state = CASE x.state WHEN 'REJECTED' THEN 'SIGNED' ELSE x.state END,
			resolved_at = CASE x.state WHEN 'REJECTED' THEN NULL ELSE x.resolved_at END
		RETURNING state = 'SIGNED'`,
		a.run.Tenant.ID, a.run.Epoch, a.networkID, a.address,
		t.Hash, t.Envelope, t.Sequence, t.Purpose, t.ContractID, t.ValidUntil, int64(t.SubmittedLedger), t.MaxFee).Scan(&open)
	switch err = fencedIfNone(err); {
	case err != nil:
		return failure(err, op)
	case !open:
		return provisioning.Errorf(provisioning.KindTransient, op,
			"the Stellar RPC server is behind the network: it does not know yet what became of the transaction before")
	}
	return nil
}

// Resolve records what became of a transaction.
func (a *account) Resolve(ctx context.Context, hash string, o provisioning.TransactionOutcome) error {
	return a.exec(ctx, "record transaction", `UPDATE stellar_transactions SET state = $6::stellar_transaction_state,
			ledger = nullif($7::bigint, 0), fee_charged = $8::bigint, detail = nullif(left($9::text, 200), ''), resolved_at = now()
		WHERE hash = $5 AND EXISTS (SELECT `+holds+`)`,
		hash, o.State, int64(o.Ledger), o.FeeCharged, o.Detail)
}

// exec runs a statement whose first four parameters are those of holds.
func (a *account) exec(ctx context.Context, op, statement string, args ...any) error {
	pool, err := a.db.ready(ctx)
	if err != nil {
		return err
	}
	tag, err := pool.Exec(ctx, statement, append([]any{a.run.Tenant.ID, a.run.Epoch, a.networkID, a.address}, args...)...)
	return failure(fenced(tag.RowsAffected(), err), op)
}

// Release gives the account back. It goes through when ctx was cancelled, and
// does nothing when the lease was lost meanwhile.
func (a *account) Release(ctx context.Context, sequence int64) error {
	const op = "release Stellar account"
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	pool, err := a.db.ready(ctx)
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `UPDATE stellar_accounts SET expires_at = NULL, lease_tenant = NULL, lease_epoch = NULL, sequence = $5
		WHERE network_id = $3 AND address = $4 AND lease_tenant = $1 AND lease_epoch = $2`,
		a.run.Tenant.ID, a.run.Epoch, a.networkID, a.address, sequence)
	return failure(err, op)
}
