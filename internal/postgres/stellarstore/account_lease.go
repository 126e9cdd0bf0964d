package stellarstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// Time to live and renewal interval of a lease that belongs to no run.
const (
	systemLeaseTTL           = 10 * time.Second
	systemLeaseRenewInterval = 3 * time.Second
)

// accountLease is a leased Stellar account. A run's lease is renewed with the run (see
// DB.Renew); any other lease renews itself.
type accountLease struct {
	txLog
	networkID, address string
	holder             uuid.UUID
	channel            int
	sequence, applied  int64
	balance            int64
	unresolved         []txlog.Transaction

	queue       string             // Name of the wait queue for the account.
	stopRenewal context.CancelFunc // Stops the renewals.
	renewal     sync.WaitGroup
}

// loadUnresolved reads transactions of earlier leases that have no recorded outcome.
func (a *accountLease) loadUnresolved(ctx context.Context, tx pgx.Tx, open bool) error {
	if !open {
		return nil
	}
	rows, _ := tx.Query(ctx, `SELECT `+transactionColumns+` FROM stellar_transactions
		WHERE network_id = $1 AND source = $2 AND state = 'SIGNED' ORDER BY sequence, created_at`, a.networkID, a.address)
	var err error
	a.unresolved, err = pgx.CollectRows(rows, scanTransaction)
	return err
}

// startRenewal starts to renew a lease that belongs to no run.
func (a *accountLease) startRenewal() {
	if a.tenantID != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	a.stopRenewal = stop
	a.renewal.Go(func() {
		for (clock.System{}).Sleep(ctx, systemLeaseRenewInterval) == nil {
			// If one renewal fails, the next one extends the lease. If all fail, the
			// lease expires, and the holder's number fences this process.
			_ = a.exec(ctx, "renew lease", `UPDATE stellar_accounts SET expires_at = clock_timestamp() + $4::interval
				WHERE network_id = $1 AND address = $2 AND holder = $3`, systemLeaseTTL)
		}
	})
}

// Address is the leased account.
func (a *accountLease) Address() string { return a.address }

// Channel is its index among the deployer's channels, -1 for none.
func (a *accountLease) Channel() int { return a.channel }

// Unresolved returns the account's transactions without a recorded outcome.
func (a *accountLease) Unresolved() []txlog.Transaction { return a.unresolved }

// Sequence is the last sequence number known to be used.
func (a *accountLease) Sequence() int64 { return a.sequence }

// AppliedSequence is the highest sequence number of a transaction known to be applied.
func (a *accountLease) AppliedSequence() int64 { return a.applied }

// Balance is the last known balance of a channel.
func (a *accountLease) Balance() int64 { return a.balance }

// leaseHeldCTE matches the account's row only while this lease is held and its run is
// the tenant's newest. Its parameters are the first three of every statement here.
// Because of the lock, the next lessee waits for a statement whose caller is gone:
// either it reads the stored transaction, or none was stored. The lock is as strong
// as an update's and is taken before the transaction's own lock; journal.Resolve uses
// the same order.
const leaseHeldCTE = `held AS (
		SELECT a.* FROM stellar_accounts a
		WHERE a.network_id = $1::text AND a.address = $2::text AND a.holder = $3::uuid AND (a.lease_tenant IS NULL OR EXISTS (
			SELECT FROM tenants t WHERE t.id = a.lease_tenant AND t.run_epoch = a.lease_epoch AND t.rollback_target IS NULL))
		FOR NO KEY UPDATE OF a
	)`

func (a *accountLease) args(more ...any) []any {
	return append([]any{a.networkID, a.address, a.holder}, more...)
}

// Store commits a signed transaction before it is sent. A rejected transaction that is
// built again within the same second has the same hash: Store opens it again. A
// transaction with any other outcome can only be built again from outdated data, and
// Store does not change it. Work of a run for all tenants, such as the code upload, is
// stored without a tenant.
func (a *accountLease) Store(ctx context.Context, transaction txlog.Transaction) error {
	const op = "store transaction"
	pool, err := a.store.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	var tenantID *uuid.UUID
	if transaction.TenantID != uuid.Nil {
		tenantID = &transaction.TenantID
	}
	var (
		resolvedSince bool
		open          *bool // Nil: nothing was stored.
	)
	err = pool.QueryRow(ctx, `WITH `+leaseHeldCTE+`, since AS (
			SELECT EXISTS (SELECT FROM stellar_transactions x WHERE x.network_id = $1::text AND x.contract_id = nullif($9::text, '')
				AND x.state IN ('SUCCEEDED', 'FAILED') AND x.resolved_at > $13::timestamptz) AS changed
		), stored AS (
		INSERT INTO stellar_transactions AS x (hash, envelope, source, sequence, purpose, tenant_id,
			contract_id, network_id, valid_until, submitted_ledger, max_fee)
		SELECT $4::text, $5::text, address, $6::bigint, $7::text, coalesce($8::uuid, CASE WHEN $9::text <> '' THEN lease_tenant END), nullif($9::text, ''),
		       network_id, $10::timestamptz, $11::bigint, $12::bigint FROM held, since WHERE NOT changed
		ON CONFLICT (hash) DO UPDATE SET state = CASE x.state WHEN 'REJECTED' THEN 'SIGNED' ELSE x.state END,
			resolved_at = CASE x.state WHEN 'REJECTED' THEN NULL ELSE x.resolved_at END
		RETURNING state = 'SIGNED' AS open
		) SELECT changed, (SELECT open FROM stored) FROM held, since`,
		a.args(transaction.Hash, transaction.Envelope, transaction.Sequence, transaction.Purpose, tenantID, transaction.ContractID, transaction.ValidUntil, int64(transaction.SubmittedLedger), transaction.MaxFee, nilIfZero(transaction.AsOf))...).Scan(&resolvedSince, &open)
	switch err = pgdb.FencedIfNoRows(err); {
	case isOpenTxConflict(err), err == nil && resolvedSince:
		return errs.Wrap(errors.Join(txlog.ErrContractBusy, err), errs.KindTransient, op,
			"%s; the next attempt reads its outcome", txlog.ErrContractBusy)
	case err != nil:
		return pgdb.Classify(err, op)
	case open == nil || !*open:
		return errs.Errorf(errs.KindTransient, op,
			"the Stellar RPC server is behind the network: it has no outcome of the previous transaction yet")
	}
	return nil
}

// isOpenTxConflict reports whether err is the unique violation of a second open
// transaction for one contract.
func isOpenTxConflict(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.ConstraintName == "stellar_transactions_open"
}

// StoreFeeBump replaces an open transaction's envelope by one with a higher fee.
func (a *accountLease) StoreFeeBump(ctx context.Context, hash, envelope string, maxFee int64) error {
	return a.exec(ctx, "store transaction", `WITH `+leaseHeldCTE+` UPDATE stellar_transactions SET envelope = $5::text, max_fee = $6::bigint
		WHERE hash = $4::text AND state = 'SIGNED' AND EXISTS (SELECT FROM held)`, hash, envelope, maxFee)
}

// Resolve records the outcome of a transaction.
func (a *accountLease) Resolve(ctx context.Context, hash string, o txlog.Outcome) error {
	return a.exec(ctx, "record transaction", `WITH `+leaseHeldCTE+`, `+resolveCTEs+` SELECT 1 FROM held`,
		hash, o.State, int64(o.Ledger), o.FeeCharged, o.Detail)
}

// exec runs a statement. Once the lease is lost, the statement returns or changes no
// row.
func (a *accountLease) exec(ctx context.Context, op, statement string, args ...any) error {
	pool, err := a.store.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	tag, err := pool.Exec(ctx, statement, a.args(args...)...)
	return pgdb.Classify(pgdb.FencedUnlessUpdated(tag.RowsAffected(), err), op)
}

// Release releases the account. It also runs after ctx was cancelled, and does nothing
// if the lease was lost. A sequence number below the applied one means that the
// network was reset.
func (a *accountLease) Release(ctx context.Context, release txlog.AccountRelease) error {
	const op = "release Stellar account"
	if a.stopRenewal != nil {
		a.stopRenewal()
		a.renewal.Wait()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	pool, err := a.store.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `UPDATE stellar_accounts SET expires_at = NULL, holder = NULL, lease_tenant = NULL, lease_epoch = NULL,
			sequence = $4::bigint, last_used_at = clock_timestamp(), disabled_reason = nullif(left($6::text, 300), ''),
			quarantined_until = CASE WHEN $5::interval > '0' THEN clock_timestamp() + $5::interval END,
			applied_sequence = CASE WHEN $4::bigint > 0 AND $5::interval = '0' THEN least(applied_sequence, $4::bigint) ELSE applied_sequence END
		WHERE network_id = $1 AND address = $2 AND holder = $3`,
		a.args(release.Sequence, release.Quarantine, release.DisabledReason)...)
	if err != nil {
		a.noteUncertain()
	}
	a.store.queues.signal(a.queue)
	return pgdb.Classify(err, op)
}
