// Package stellarstore stores Stellar transactions, the leases of their accounts, and what is
// known of contracts.
package stellarstore

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/runs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// Transactions stores Stellar transactions and leases the accounts that send them.
type Transactions struct {
	// MaxValidity is how far after the database's clock a stored transaction may be valid: it
	// is open, and its account and contract wait for it, until then at the latest. The end is
	// computed from the close time that the RPC server returns. Set it before the first use.
	MaxValidity time.Duration

	db         *pgdb.DB
	queues     waitQueues
	uncertain  *runs.UncertainLeases
	registryID atomic.Pointer[uuid.UUID]
}

// NewTransactions returns the transactions of a database. It adds runs that may hold an
// unknown lease to uncertain.
func NewTransactions(db *pgdb.DB, uncertain *runs.UncertainLeases) *Transactions {
	return &Transactions{MaxValidity: DefaultMaxValidity, db: db, uncertain: uncertain}
}

// accountPollInterval is the interval at which a busy account is tried again. A release
// by this process wakes the next waiter at once.
const accountPollInterval = 100 * time.Millisecond

// TransactionLog is the log of the Stellar transactions of one run.
func (s *Transactions) TransactionLog(r provisioning.Run) txlog.Log {
	return txLog{store: s, tenantID: &r.Tenant.ID, epoch: &r.Epoch}
}

// SystemLog is the log of transactions that belong to no run: extensions of contracts,
// funding of channels. Its leases are renewed by this process until they are released.
func (s *Transactions) SystemLog() txlog.Log { return txLog{store: s} }

// txLog belongs to a run; without one, tenant and epoch are nil.
type txLog struct {
	store    *Transactions
	tenantID *uuid.UUID
	epoch    *int64
}

// RegistryID reads the registry's id, once per process.
func (l txLog) RegistryID(ctx context.Context) (uuid.UUID, error) {
	if known := l.store.registryID.Load(); known != nil {
		return *known, nil
	}
	pool, err := l.store.db.ReadyPool(ctx)
	if err != nil {
		return uuid.Nil, err
	}
	var id uuid.UUID
	if err := pool.QueryRow(ctx, `SELECT id FROM registry`).Scan(&id); err != nil {
		return uuid.Nil, pgdb.Classify(err, "read the registry's id")
	}
	l.store.registryID.Store(&id)
	return id, nil
}

// leaseholderCTE is the leaseholder as a common table expression over the parameters of
// args: no row when the run was superseded.
const leaseholderCTE = `run AS (
		SELECT id, run_epoch, run_expires_at, run_lease FROM tenants WHERE id = @tenant_id::uuid AND run_epoch = @epoch::bigint AND rollback_target IS NULL
		UNION ALL SELECT NULL, NULL, clock_timestamp() + @ttl::interval, @ttl::interval WHERE @tenant_id::uuid IS NULL
	)`

// args adds the parameters of leaseholderCTE to those of a statement.
func (l txLog) args(more pgx.StrictNamedArgs) pgx.StrictNamedArgs {
	more["tenant_id"], more["epoch"], more["ttl"] = l.tenantID, l.epoch, systemLeaseTTL
	return more
}

// leaseSetItems are the SET items that lease an account to the run.
const leaseSetItems = `lease_tenant = run.id, lease_epoch = run.run_epoch, expires_at = run.run_expires_at, lease_length = run.run_lease`

// leaseOverExpr reports that no one holds the lease of an account a: it has run out, or it lies
// further ahead than its length, as after a step back of the database's clock.
const leaseOverExpr = `(a.expires_at IS NULL OR a.expires_at < clock_timestamp() OR a.expires_at > clock_timestamp() + 2 * coalesce(a.lease_length, interval '100 years'))`

// maxQuarantine is longer than every quarantine: one that ends later was set before a step back
// of the clock.
const maxQuarantine = `interval '1 minute'`

// Account leases an account and waits until its holder releases it.
func (l txLog) Account(ctx context.Context, networkID, address string) (txlog.AccountLease, error) {
	return l.waitForLease(ctx, networkID+address, func() (*accountLease, error) { return l.tryLeaseAccount(ctx, networkID, address) })
}

// usableChannelPredicate matches the channels of a deployer in use that have a minimum
// balance, or whose balance is not known yet. Its parameters are network_id, deployer, count and
// min_balance.
const usableChannelPredicate = `network_id = @network_id::text AND deployer = @deployer::text AND channel < @count::integer AND disabled_reason IS NULL
	AND coalesce(balance, @min_balance::bigint) >= @min_balance::bigint`

// Channel leases a free channel of the deployer with enough balance, and waits for one.
func (l txLog) Channel(ctx context.Context, networkID, deployer string, count int, minBalance int64) (txlog.AccountLease, error) {
	return l.waitForLease(ctx, networkID+deployer+"/channels", func() (*accountLease, error) { return l.tryLeaseChannel(ctx, networkID, deployer, count, minBalance) })
}

// waitForLease tries until it gets a lease. Of all waiters in this process for the same
// account only the first queries, so their number is no load on the database.
func (l txLog) waitForLease(ctx context.Context, key string, tryLease func() (*accountLease, error)) (txlog.AccountLease, error) {
	const op = "lease Stellar account"
	q := l.store.queues.join(key)
	defer l.store.queues.leave(key)
	attempt := func() (*accountLease, error) {
		lease, err := tryLease()
		if err != nil {
			if lease != nil { // Only the answer to the commit may be lost.
				lease.releaseAfterLostCommit(ctx)
			}
			return nil, pgdb.Classify(err, op)
		}
		if lease != nil {
			lease.queue = key
			lease.startRenewal()
		}
		return lease, nil
	}
	if l.mayHoldLease() { // A run must not queue for a lease that it holds itself.
		if lease, err := attempt(); lease != nil || err != nil {
			return lease, err
		}
	}
	if err := q.acquire(ctx); err != nil {
		return nil, leaseTimeoutError(err, op)
	}
	defer q.release()
	for {
		if lease, err := attempt(); lease != nil || err != nil {
			return lease, err
		}
		if err := q.wait(ctx, l.store.queues.interval()); err != nil {
			return nil, leaseTimeoutError(err, op)
		}
	}
}

// leaseTimeoutError is the error of a caller whose context ended while others held the account.
func leaseTimeoutError(err error, op string) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errs.Wrap(err, errs.KindTransient, op, "other tenants' transactions used the Stellar account until the time was up")
	}
	return pgdb.Classify(err, op)
}

// noteUncertain records that the run may hold an unknown lease, because an answer of the
// database was lost. Its heartbeat renews that lease, so waiters before it in the queue
// would never get it. A lease without a run expires: it is not renewed.
func (l txLog) noteUncertain() {
	if l.tenantID != nil {
		l.store.uncertain.Add(*l.tenantID, *l.epoch)
	}
}

// mayHoldLease reports, once, whether the run may hold an unknown lease.
func (l txLog) mayHoldLease() bool {
	return l.tenantID != nil && l.store.uncertain.Take(*l.tenantID, *l.epoch)
}

// tryLeaseAccount returns nil when another run holds the account. A lease with an error may
// have been committed.
func (l txLog) tryLeaseAccount(ctx context.Context, networkID, address string) (*accountLease, error) {
	a := &accountLease{txLog: l, networkID: networkID, address: address, holder: uuid.New(), channel: -1}
	isFree := false
	err := l.store.db.InTx(ctx, "lease Stellar account", func(tx pgx.Tx) error {
		var open bool
		err := tx.QueryRow(ctx, `WITH `+leaseholderCTE+`
			INSERT INTO stellar_accounts AS a (network_id, address, holder, lease_tenant, lease_epoch, expires_at, lease_length)
			SELECT @network_id::text, @address::text, @holder::uuid, id, run_epoch, run_expires_at, run_lease FROM run
			ON CONFLICT (network_id, address) DO UPDATE
			SET holder = excluded.holder, lease_tenant = excluded.lease_tenant, lease_epoch = excluded.lease_epoch, expires_at = excluded.expires_at, lease_length = excluded.lease_length
			WHERE `+leaseOverExpr+`
			   OR a.lease_tenant = @tenant_id AND a.lease_epoch = @epoch
			RETURNING `+lastSequenceExpr+`, applied_sequence, `+hasOpenTxExpr,
			l.args(pgx.StrictNamedArgs{"network_id": networkID, "address": address, "holder": a.holder})).Scan(&a.sequence, &a.applied, &open)
		if errors.Is(err, pgx.ErrNoRows) {
			return l.checkRunCurrent(ctx, tx)
		}
		if err != nil {
			return err
		}
		isFree = true
		return a.loadUnresolved(ctx, tx, open)
	})
	if !isFree {
		return nil, err
	}
	return a, err
}

// lastSequenceExpr is the sequence number that an account a used last. A tenant's next run
// may have recorded that a transaction was applied which the account's holder never saw.
const lastSequenceExpr = `CASE a.sequence WHEN 0 THEN 0 ELSE greatest(a.sequence, a.applied_sequence) END`

// hasOpenTxExpr reports whether an account a has transactions without an outcome.
const hasOpenTxExpr = `EXISTS (SELECT FROM stellar_transactions x WHERE x.network_id = a.network_id AND x.source = a.address AND x.state = 'SIGNED')`

// tryLeaseChannel returns nil when all channels are busy. A lease with an error may have been
// committed.
func (l txLog) tryLeaseChannel(ctx context.Context, networkID, deployer string, count int, minBalance int64) (*accountLease, error) {
	a := &accountLease{txLog: l, networkID: networkID, holder: uuid.New()}
	isFree := false
	err := l.store.db.InTx(ctx, "lease channel account", func(tx pgx.Tx) error {
		var open bool
		err := tx.QueryRow(ctx, `WITH `+leaseholderCTE+`, free AS (
				SELECT address FROM stellar_accounts a
				WHERE `+usableChannelPredicate+` AND (`+leaseOverExpr+` OR lease_tenant = @tenant_id AND lease_epoch = @epoch)
				  AND (quarantined_until IS NULL OR quarantined_until NOT BETWEEN clock_timestamp() AND clock_timestamp() + `+maxQuarantine+`)
				  AND EXISTS (SELECT FROM run)
				ORDER BY lease_tenant = @tenant_id DESC NULLS LAST, `+hasOpenTxExpr+`, last_used_at NULLS FIRST, channel LIMIT 1 FOR UPDATE SKIP LOCKED
			)
			UPDATE stellar_accounts a SET holder = @holder::uuid, `+leaseSetItems+`
			FROM free, run WHERE a.network_id = @network_id::text AND a.address = free.address
			RETURNING a.address, a.channel, `+lastSequenceExpr+`, a.applied_sequence, coalesce(a.balance, 0), `+hasOpenTxExpr,
			l.args(pgx.StrictNamedArgs{"network_id": networkID, "deployer": deployer, "count": count, "min_balance": minBalance, "holder": a.holder})).
			Scan(&a.address, &a.channel, &a.sequence, &a.applied, &a.balance, &open)
		if errors.Is(err, pgx.ErrNoRows) {
			return l.channelUnavailable(ctx, tx, networkID, deployer, count, minBalance)
		}
		if err != nil {
			return err
		}
		isFree = true
		return a.loadUnresolved(ctx, tx, open)
	})
	if !isFree {
		return nil, err
	}
	return a, err
}

// channelUnavailable returns why no channel was leased: nil when all are busy.
func (l txLog) channelUnavailable(ctx context.Context, tx pgx.Tx, networkID, deployer string, count int, minBalance int64) error {
	if err := l.checkRunCurrent(ctx, tx); err != nil {
		return err
	}
	var exists bool
	err := tx.QueryRow(ctx, `WITH `+leaseholderCTE+` SELECT EXISTS (SELECT FROM stellar_accounts a WHERE `+usableChannelPredicate+`)`,
		l.args(pgx.StrictNamedArgs{"network_id": networkID, "deployer": deployer, "count": count, "min_balance": minBalance})).Scan(&exists)
	if err != nil || exists {
		return err
	}
	return errs.Errorf(errs.KindNotFound, "lease channel account", "no channel account of %s is in use", deployer)
}

// checkRunCurrent keeps a superseded run from waiting for an account.
func (l txLog) checkRunCurrent(ctx context.Context, tx pgx.Tx) error {
	var ignored int
	return pgdb.FencedIfNoRows(tx.QueryRow(ctx, `WITH `+leaseholderCTE+` SELECT 1 FROM run`, l.args(pgx.StrictNamedArgs{})).Scan(&ignored))
}

// transactionColumns are those of a StellarTransaction, for scanTransaction.
const transactionColumns = `hash, envelope, source, sequence, purpose, tenant_id, coalesce(contract_id, ''), network_id,
	valid_until, submitted_ledger, max_fee`

func scanTransaction(r pgx.CollectableRow) (t txlog.Transaction, err error) {
	var tenantID *uuid.UUID
	err = r.Scan(&t.Hash, &t.Envelope, &t.Source, &t.Sequence, &t.Purpose, &tenantID, &t.ContractID, &t.NetworkID,
		&t.ValidUntil, &t.SubmittedLedger, &t.MaxFee)
	if tenantID != nil {
		t.TenantID = *tenantID
	}
	return t, err
}

// ContractHistory reads the transactions of a contract.
func (l txLog) ContractHistory(ctx context.Context, networkID, contractID string) (txlog.ContractHistory, error) {
	const op = "read transactions of contract"
	var history txlog.ContractHistory
	err := l.store.db.InTx(ctx, op, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT coalesce(max(ledger), 0), clock_timestamp() FROM stellar_transactions WHERE contract_id = $1 AND network_id = $2`,
			contractID, networkID).Scan(&history.Ledger, &history.AsOf)
		if err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `SELECT `+transactionColumns+` FROM stellar_transactions
			WHERE contract_id = $1 AND network_id = $2 AND state = 'SIGNED' ORDER BY created_at`, contractID, networkID)
		history.Open, err = pgx.CollectRows(rows, scanTransaction)
		return err
	})
	return history, err
}

// Resolve records the outcome of a transaction of ContractHistory. The account's holder
// may do so at the same time: both lock the account first.
func (l txLog) Resolve(ctx context.Context, hash string, o txlog.Outcome) error {
	const op = "record transaction"
	pool, err := l.store.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	var ignored int
	err = pool.QueryRow(ctx, `WITH `+leaseholderCTE+`, locked AS (
			SELECT FROM stellar_accounts a JOIN stellar_transactions x ON x.network_id = a.network_id AND x.source = a.address
			WHERE x.hash = @hash::text AND EXISTS (SELECT FROM run) FOR NO KEY UPDATE OF a
		), held AS (SELECT 1 FROM run LEFT JOIN locked ON true), `+resolveCTEs+` SELECT 1 FROM held`,
		l.args(resolveArgs(hash, o))).Scan(&ignored)
	return pgdb.Classify(pgdb.FencedIfNoRows(err), op)
}

// resolveCTEs writes the outcome of resolveArgs, if held has a row: on the transaction,
// on its account's balance and in the totals, once.
const resolveCTEs = `done AS (
		UPDATE stellar_transactions SET state = @state::text, ledger = nullif(@ledger::bigint, 0),
			fee_charged = @fee_charged::bigint, detail = nullif(left(@detail::text, 200), ''), resolved_at = clock_timestamp()
		WHERE hash = @hash::text AND state = 'SIGNED' AND EXISTS (SELECT FROM held) RETURNING *
	), applied AS (
		SELECT * FROM done WHERE state IN ('SUCCEEDED', 'FAILED')
	), paid AS (
		UPDATE stellar_accounts a SET balance = a.balance - x.fee_charged, transactions_applied = a.transactions_applied + 1,
			applied_sequence = greatest(a.applied_sequence, x.sequence)
		FROM applied x WHERE a.network_id = x.network_id AND a.address = x.source
	), counted AS (
		INSERT INTO stellar_totals AS t (purpose, slot, transactions, stroops)
		SELECT purpose, pg_backend_pid() % 16, 1, fee_charged FROM applied
		ON CONFLICT (purpose, slot) DO UPDATE SET transactions = t.transactions + 1, stroops = t.stroops + excluded.stroops
	)`

// resolveArgs are the parameters of resolveCTEs.
func resolveArgs(hash string, o txlog.Outcome) pgx.StrictNamedArgs {
	return pgx.StrictNamedArgs{"hash": hash, "state": o.State, "ledger": int64(o.Ledger), "fee_charged": o.FeeCharged, "detail": o.Detail}
}
