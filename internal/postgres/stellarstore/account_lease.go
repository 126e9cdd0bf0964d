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

// releaseTimeout limits the release of a lease.
const releaseTimeout = 5 * time.Second

// DefaultMaxValidity is the default of Transactions.MaxValidity.
const DefaultMaxValidity = 5 * time.Minute

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
			ctx, cancel := context.WithTimeout(ctx, systemLeaseRenewInterval)
			_ = a.exec(ctx, "renew lease", `UPDATE stellar_accounts SET expires_at = clock_timestamp() + @ttl::interval
				WHERE network_id = @network_id AND address = @address AND holder = @holder`, pgx.StrictNamedArgs{"ttl": systemLeaseTTL})
			cancel()
		}
	})
}

// releaseAfterLostCommit ends a lease whose commit got no answer. The run's renewals would extend it, and all
// others would wait for it for as long as the run lives. It runs also after ctx was cancelled.
func (a *accountLease) releaseAfterLostCommit(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	err := a.store.db.InTx(ctx, "release Stellar account", func(tx pgx.Tx) error {
		// The commit may still be under way. This waits for it; the update alone would see the
		// row as it was before.
		if _, err := tx.Exec(ctx, `SELECT FROM stellar_accounts WHERE network_id = $1 AND address = $2 FOR NO KEY UPDATE`, a.networkID, a.address); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE stellar_accounts SET expires_at = NULL, holder = NULL, lease_tenant = NULL, lease_epoch = NULL
			WHERE network_id = $1 AND address = $2 AND holder = $3`, a.networkID, a.address, a.holder)
		return err
	})
	if err != nil {
		a.noteUncertain()
	}
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
// the tenant's newest. Its parameters are those of args.
// Because of the lock, the next leaseholder waits for a statement whose caller is gone:
// either it reads the stored transaction, or none was stored. The lock is as strong
// as an update's and is taken before the transaction's own lock; txLog.Resolve uses
// the same order.
const leaseHeldCTE = `held AS (
		SELECT a.* FROM stellar_accounts a
		WHERE a.network_id = @network_id::text AND a.address = @address::text AND a.holder = @holder::uuid AND (a.lease_tenant IS NULL OR EXISTS (
			SELECT FROM tenants t WHERE t.id = a.lease_tenant AND t.run_epoch = a.lease_epoch AND t.rollback_target IS NULL))
		FOR NO KEY UPDATE OF a
	)`

// args adds the parameters of leaseHeldCTE to those of a statement.
func (a *accountLease) args(more pgx.StrictNamedArgs) pgx.StrictNamedArgs {
	more["network_id"], more["address"], more["holder"] = a.networkID, a.address, a.holder
	return more
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
		tooLong       bool
	)
	err = pool.QueryRow(ctx, `WITH `+leaseHeldCTE+`, since AS (
			SELECT EXISTS (SELECT FROM stellar_transactions x WHERE x.network_id = @network_id::text AND x.contract_id = nullif(@contract_id::text, '')
				AND x.state IN ('SUCCEEDED', 'FAILED') AND x.resolved_at > @as_of::timestamptz) AS changed
		), stored AS (
		INSERT INTO stellar_transactions AS x (hash, envelope, source, sequence, purpose, tenant_id,
			contract_id, network_id, valid_until, submitted_ledger, max_fee)
		SELECT @hash::text, @envelope::text, address, @sequence::bigint, @purpose::text,
		       coalesce(@tenant_id::uuid, CASE WHEN @contract_id::text <> '' THEN lease_tenant END), nullif(@contract_id::text, ''),
		       network_id, @valid_until::timestamptz, @submitted_ledger::bigint, @max_fee::bigint FROM held, since
		WHERE NOT changed AND @valid_until::timestamptz <= statement_timestamp() + @max_validity::interval
		ON CONFLICT (hash) DO UPDATE SET state = CASE x.state WHEN 'REJECTED' THEN 'SIGNED' ELSE x.state END,
			resolved_at = CASE x.state WHEN 'REJECTED' THEN NULL ELSE x.resolved_at END
		RETURNING state = 'SIGNED' AS open
		) SELECT changed, (SELECT open FROM stored), @valid_until::timestamptz > statement_timestamp() + @max_validity::interval FROM held, since`,
		a.args(pgx.StrictNamedArgs{
			"hash": transaction.Hash, "envelope": transaction.Envelope, "sequence": transaction.Sequence, "purpose": transaction.Purpose,
			"tenant_id": tenantID, "contract_id": transaction.ContractID, "valid_until": transaction.ValidUntil,
			"submitted_ledger": int64(transaction.SubmittedLedger), "max_fee": transaction.MaxFee, "as_of": nilIfZero(transaction.AsOf), "max_validity": a.store.MaxValidity,
		})).Scan(&resolvedSince, &open, &tooLong)
	switch err = pgdb.FencedIfNoRows(err); {
	case isOpenTxConflict(err), err == nil && resolvedSince:
		return errs.Wrap(errors.Join(txlog.ErrContractBusy, err), errs.KindTransient, op,
			"%s; the next attempt reads its outcome", txlog.ErrContractBusy)
	case err != nil:
		return pgdb.Classify(err, op)
	case tooLong:
		return errs.Errorf(errs.KindTransient, op,
			"the transaction would be valid until %s, more than %v after the database's clock; nothing was sent: compare the database server's clock with the real time, or use another server in SOROBAN_RPC_URL",
			transaction.ValidUntil.UTC().Format(time.RFC3339), a.store.MaxValidity)
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
	return a.exec(ctx, "store transaction", `WITH `+leaseHeldCTE+` UPDATE stellar_transactions SET envelope = @envelope::text, max_fee = @max_fee::bigint
		WHERE hash = @hash::text AND state = 'SIGNED' AND EXISTS (SELECT FROM held)`,
		pgx.StrictNamedArgs{"hash": hash, "envelope": envelope, "max_fee": maxFee})
}

// Resolve records the outcome of a transaction.
func (a *accountLease) Resolve(ctx context.Context, hash string, o txlog.Outcome) error {
	return a.exec(ctx, "record transaction", `WITH `+leaseHeldCTE+`, `+resolveCTEs+` SELECT 1 FROM held`, resolveArgs(hash, o))
}

// exec runs a statement. Once the lease is lost, the statement returns or changes no
// row.
func (a *accountLease) exec(ctx context.Context, op, statement string, args pgx.StrictNamedArgs) error {
	pool, err := a.store.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	tag, err := pool.Exec(ctx, statement, a.args(args))
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	pool, err := a.store.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `UPDATE stellar_accounts SET expires_at = NULL, holder = NULL, lease_tenant = NULL, lease_epoch = NULL,
			sequence = @sequence::bigint, last_used_at = clock_timestamp(), disabled_reason = nullif(left(@disabled_reason::text, 300), ''),
			quarantined_until = CASE WHEN @quarantine::interval > '0' THEN clock_timestamp() + @quarantine::interval END,
			applied_sequence = CASE WHEN @sequence::bigint > 0 AND @quarantine::interval = '0' THEN least(applied_sequence, @sequence::bigint) ELSE applied_sequence END
		WHERE network_id = @network_id AND address = @address AND holder = @holder`,
		a.args(pgx.StrictNamedArgs{"sequence": release.Sequence, "quarantine": release.Quarantine, "disabled_reason": release.DisabledReason}))
	if err != nil {
		a.noteUncertain()
	}
	a.store.queues.signal(a.queue)
	return pgdb.Classify(err, op)
}
