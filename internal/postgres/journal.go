package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// accountPoll is how often a busy account is asked for again. What this very
// process gives back it hears of at once.
const accountPoll = 100 * time.Millisecond

// Journal is the memory for the Stellar transactions of one run.
func (db *DB) Journal(r provisioning.Run) provisioning.Journal {
	return journal{db: db, tenant: &r.Tenant.ID, epoch: &r.Epoch}
}

// Upkeep is the memory for transactions that no run needs: contracts that are
// kept alive, channels that are funded. Its leases last as long as this process
// renews them, which it does by itself until they are released.
func (db *DB) Upkeep() provisioning.Journal { return journal{db: db} }

// journal belongs to a run, or to nobody's: then tenant and epoch are nil.
type journal struct {
	db     *DB
	tenant *uuid.UUID
	epoch  *int64
}

// lessee is who takes a lease, as a common table expression over the parameters
// 1 to 3: no row when the run was overtaken.
const lessee = `run AS (
		SELECT id, run_epoch, run_expires_at FROM tenants WHERE id = $1::uuid AND run_epoch = $2::bigint AND undo IS NULL
		UNION ALL SELECT NULL, NULL, clock_timestamp() + $3::interval WHERE $1::uuid IS NULL
	)`

// leased are the SET items that give an account to the lessee.
const leased = `lease_tenant = run.id, lease_epoch = run.run_epoch, expires_at = run.run_expires_at`

// Account leases an account, waiting for whoever has it.
func (j journal) Account(ctx context.Context, networkID, address string) (provisioning.AccountLease, error) {
	return j.wait(ctx, networkID+address, func() (*account, error) { return j.tryAccount(ctx, networkID, address) })
}

// fit matches the channels of network $4 and deployer $5 below number $6 that have a
// balance of $7; what nobody has looked at yet may have it.
const fit = `network_id = $4::text AND deployer = $5::text AND channel < $6::integer AND out_of_use IS NULL
	AND coalesce(balance, $7::bigint) >= $7::bigint`

// Channel leases any channel of the deployer that is free and has enough, waiting for one.
func (j journal) Channel(ctx context.Context, networkID, deployer string, count int, least int64) (provisioning.AccountLease, error) {
	return j.wait(ctx, networkID+deployer+"/channels", func() (*account, error) { return j.tryChannel(ctx, networkID, deployer, count, least) })
}

// wait asks until there is a lease. Of all who wait in this process for the same
// thing only the first asks, so their number is no load on the database.
func (j journal) wait(ctx context.Context, what string, try func() (*account, error)) (provisioning.AccountLease, error) {
	const op = "lease Stellar account"
	d := j.db.doors.at(what)
	take := func() (*account, error) {
		lease, err := try()
		if err != nil {
			j.mayHold(true) // The answer may be lost, and the lease not.
			return nil, failure(err, op)
		}
		if lease != nil {
			lease.door = d
			lease.renew()
		}
		return lease, nil
	}
	if j.mayHold(false) { // What it holds itself it must not queue for.
		if lease, err := take(); lease != nil || err != nil {
			return lease, err
		}
	}
	if err := d.enter(ctx); err != nil {
		return nil, failure(err, op)
	}
	defer d.leave()
	for {
		if lease, err := take(); lease != nil || err != nil {
			return lease, err
		}
		if err := d.wait(ctx, j.db.doors.next()); err != nil {
			return nil, failure(err, op)
		}
	}
}

// mayHold notes that the run may hold a lease that it knows nothing of, because an
// answer of the database was lost: its heartbeat renews that lease, so it would
// never be free for those who queue before it. Or it tells, once, whether that is so.
func (j journal) mayHold(now bool) bool {
	if j.tenant == nil { // Such leases run out: nobody renews them.
		return false
	}
	if now {
		j.db.unsure.Store(*j.tenant, *j.epoch)
		return true
	}
	epoch, there := j.db.unsure.LoadAndDelete(*j.tenant)
	return there && epoch == *j.epoch
}

// tryAccount returns nil when somebody else has the account.
func (j journal) tryAccount(ctx context.Context, networkID, address string) (*account, error) {
	a := &account{journal: j, networkID: networkID, address: address, holder: uuid.New(), channel: -1}
	free := false
	err := j.db.inTx(ctx, "lease Stellar account", func(tx pgx.Tx) error {
		var open bool
		err := tx.QueryRow(ctx, `WITH `+lessee+`
			INSERT INTO stellar_accounts AS a (network_id, address, holder, lease_tenant, lease_epoch, expires_at)
			SELECT $4::text, $5::text, $6::uuid, id, run_epoch, run_expires_at FROM run
			ON CONFLICT (network_id, address) DO UPDATE
			SET holder = excluded.holder, lease_tenant = excluded.lease_tenant, lease_epoch = excluded.lease_epoch, expires_at = excluded.expires_at
			WHERE a.expires_at IS NULL OR a.expires_at < clock_timestamp()
			   OR a.lease_tenant = $1 AND a.lease_epoch = $2
			RETURNING `+lastUsed+`, applied, `+leftOpen, j.tenant, j.epoch, upkeepLease, networkID, address, a.holder).Scan(&a.sequence, &a.applied, &open)
		if errors.Is(err, pgx.ErrNoRows) {
			return j.stillMine(ctx, tx)
		}
		if err != nil {
			return err
		}
		free = true
		return a.readOpen(ctx, tx, open)
	})
	if !free {
		return nil, err
	}
	return a, err
}

// lastUsed is the sequence number that an account a used last. A tenant's next run
// may have found out that one was applied that the account's own user never knew of.
const lastUsed = `CASE a.sequence WHEN 0 THEN 0 ELSE greatest(a.sequence, a.applied) END`

// leftOpen tells whether an account a has transactions without an outcome.
const leftOpen = `EXISTS (SELECT FROM stellar_transactions x WHERE x.network_id = a.network_id AND x.source = a.address AND x.state = 'SIGNED')`

// tryChannel returns nil when all channels are busy.
func (j journal) tryChannel(ctx context.Context, networkID, deployer string, count int, least int64) (*account, error) {
	a := &account{journal: j, networkID: networkID, holder: uuid.New()}
	free := false
	err := j.db.inTx(ctx, "lease channel account", func(tx pgx.Tx) error {
		var open bool
		err := tx.QueryRow(ctx, `WITH `+lessee+`, free AS (
				SELECT address FROM stellar_accounts a
				WHERE `+fit+` AND (expires_at IS NULL OR expires_at < clock_timestamp() OR lease_tenant = $1 AND lease_epoch = $2)
				  AND (set_aside IS NULL OR set_aside < clock_timestamp())
				  AND EXISTS (SELECT FROM run)
				ORDER BY lease_tenant = $1 DESC NULLS LAST, `+leftOpen+`, used_at NULLS FIRST, channel LIMIT 1 FOR UPDATE SKIP LOCKED
			)
			UPDATE stellar_accounts a SET holder = $8::uuid, `+leased+`
			FROM free, run WHERE a.network_id = $4::text AND a.address = free.address
			RETURNING a.address, a.channel, `+lastUsed+`, a.applied, coalesce(a.balance, 0), `+leftOpen,
			j.tenant, j.epoch, upkeepLease, networkID, deployer, count, least, a.holder).Scan(&a.address, &a.channel, &a.sequence, &a.applied, &a.balance, &open)
		if errors.Is(err, pgx.ErrNoRows) {
			return j.noChannel(ctx, tx, networkID, deployer, count, least)
		}
		if err != nil {
			return err
		}
		free = true
		return a.readOpen(ctx, tx, open)
	})
	if !free {
		return nil, err
	}
	return a, err
}

// noChannel tells apart why there is none: nil when all are busy.
func (j journal) noChannel(ctx context.Context, tx pgx.Tx, networkID, deployer string, count int, least int64) error {
	if err := j.stillMine(ctx, tx); err != nil {
		return err
	}
	var some bool
	err := tx.QueryRow(ctx, `WITH `+lessee+` SELECT EXISTS (SELECT FROM stellar_accounts, run WHERE `+fit+`)`,
		j.tenant, j.epoch, upkeepLease, networkID, deployer, count, least).Scan(&some)
	if err != nil || some {
		return err
	}
	return provisioning.Errorf(provisioning.KindNotFound, "lease channel account", "no channel account of %s is in use", deployer)
}

// stillMine keeps a run that was overtaken from waiting for an account.
func (j journal) stillMine(ctx context.Context, tx pgx.Tx) error {
	var one int
	return fencedIfNone(tx.QueryRow(ctx, `WITH `+lessee+` SELECT 1 FROM run`, j.tenant, j.epoch, upkeepLease).Scan(&one))
}

// transactionColumns are those of a StellarTransaction, for scanTransaction.
const transactionColumns = `hash, envelope, source, sequence, purpose::text, tenant_id, coalesce(contract_id, ''), network_id,
	valid_until, submitted_ledger, max_fee`

func scanTransaction(r pgx.CollectableRow) (t provisioning.StellarTransaction, err error) {
	var tenant *uuid.UUID
	err = r.Scan(&t.Hash, &t.Envelope, &t.Source, &t.Sequence, &t.Purpose, &tenant, &t.ContractID, &t.NetworkID,
		&t.ValidUntil, &t.SubmittedLedger, &t.MaxFee)
	if tenant != nil {
		t.TenantID = *tenant
	}
	return t, err
}

// About gives what is known of a contract's transactions.
func (j journal) About(ctx context.Context, networkID, contractID string) (provisioning.ContractHistory, error) {
	const op = "read transactions of contract"
	var h provisioning.ContractHistory
	err := j.db.inTx(ctx, op, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT coalesce(max(ledger), 0), clock_timestamp() FROM stellar_transactions WHERE contract_id = $1 AND network_id = $2`,
			contractID, networkID).Scan(&h.Ledger, &h.AsOf)
		if err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `SELECT `+transactionColumns+` FROM stellar_transactions
			WHERE contract_id = $1 AND network_id = $2 AND state = 'SIGNED' ORDER BY created_at`, contractID, networkID)
		h.Open, err = pgx.CollectRows(rows, scanTransaction)
		return err
	})
	return h, err
}

// Resolve records what became of a transaction that About has shown. The account's
// own user may do so at the same time: both lock the account first.
func (j journal) Resolve(ctx context.Context, hash string, o provisioning.TransactionOutcome) error {
	const op = "record transaction"
	pool, err := j.db.ready(ctx)
	if err != nil {
		return err
	}
	var one int
	err = pool.QueryRow(ctx, `WITH `+lessee+`, locked AS (
			SELECT FROM stellar_accounts a JOIN stellar_transactions x ON x.network_id = a.network_id AND x.source = a.address
			WHERE x.hash = $4::text AND EXISTS (SELECT FROM run) FOR NO KEY UPDATE OF a
		), held AS (SELECT 1 FROM run LEFT JOIN locked ON true), `+resolved+` SELECT 1 FROM held`,
		j.tenant, j.epoch, upkeepLease, hash, o.State, int64(o.Ledger), o.FeeCharged, o.Detail).Scan(&one)
	return failure(fencedIfNone(err), op)
}

// resolved writes an outcome, from parameter 4 on, if held has a row: on the
// transaction, off its account's balance and onto the totals. It does so once.
const resolved = `done AS (
		UPDATE stellar_transactions SET state = $5::stellar_transaction_state, ledger = nullif($6::bigint, 0),
			fee_charged = $7::bigint, detail = nullif(left($8::text, 200), ''), resolved_at = clock_timestamp()
		WHERE hash = $4::text AND state = 'SIGNED' AND EXISTS (SELECT FROM held) RETURNING *
	), applied AS (
		SELECT * FROM done WHERE state IN ('SUCCEEDED', 'FAILED')
	), paid AS (
		UPDATE stellar_accounts a SET balance = a.balance - x.fee_charged, carried = a.carried + 1, applied = greatest(a.applied, x.sequence)
		FROM applied x WHERE a.network_id = x.network_id AND a.address = x.source
	), counted AS (
		INSERT INTO stellar_totals AS t (purpose, slot, transactions, stroops)
		SELECT purpose, pg_backend_pid() % 16, 1, fee_charged FROM applied
		ON CONFLICT (purpose, slot) DO UPDATE SET transactions = t.transactions + 1, stroops = t.stroops + excluded.stroops
	)`
