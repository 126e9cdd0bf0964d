package stellarstore

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// Contracts stores the last known state of tenants' contracts, and when each is due.
type Contracts struct{ db *pgdb.DB }

// NewContracts returns the contracts of a database.
func NewContracts(db *pgdb.DB) *Contracts { return &Contracts{db} }

// managedContractsPredicate matches the tenants whose contracts are reconciled.
const managedContractsPredicate = `t.purged_at IS NULL AND t.soroban_contract_id IS NOT NULL`

// contractOwners is a relation of what has a contract, with the columns of tenants that are
// needed of it: each tenant and, once it is registered, the registry itself, for its own chain.
const contractOwners = `(SELECT id, name, status, soroban_contract_id, created_at, audit_seq, audit_head, purged_at, false AS is_registry FROM tenants
	UNION ALL SELECT r.id, 'registry', 'ACTIVE', rc.contract_id, r.created_at, a.seq, a.head, NULL, true
	FROM registry r CROSS JOIN registry_audit a JOIN tenant_contracts rc ON rc.tenant_id = r.id)`

// RegisterRegistry adds the contract of the registry itself, once its chain has events and it is
// of that age.
func (s *Contracts) RegisterRegistry(ctx context.Context, contractID string, minAge time.Duration) (bool, error) {
	const op = "register the registry's contract"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return false, err
	}
	tag, err := pool.Exec(ctx, `INSERT INTO tenant_contracts (tenant_id, contract_id)
		SELECT r.id, $1 FROM registry r CROSS JOIN registry_audit a WHERE a.seq > 0 AND r.created_at <= clock_timestamp() - $2::interval
		ON CONFLICT DO NOTHING`, contractID, minAge)
	return tag.RowsAffected() > 0, pgdb.Classify(err, op)
}

// RegisterContracts adds contracts that have no record yet. They are due at once.
func (s *Contracts) RegisterContracts(ctx context.Context, tenantIDs ...uuid.UUID) (int, error) {
	const op = "register contracts"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return 0, err
	}
	tag, err := pool.Exec(ctx, `INSERT INTO tenant_contracts (tenant_id, contract_id)
		SELECT t.id, t.soroban_contract_id FROM tenants t
		WHERE `+managedContractsPredicate+` AND t.status IN ('ACTIVE', 'SUSPENDED', 'ARCHIVED') AND NOT EXISTS (SELECT FROM tenant_contracts c WHERE c.tenant_id = t.id)
		  AND ($1::uuid[] IS NULL OR t.id = ANY($1))
		ON CONFLICT DO NOTHING`, tenantIDs)
	return int(tag.RowsAffected()), pgdb.Classify(err, op)
}

// ClaimDueContracts claims due contracts and defers them for other processes.
func (s *Contracts) ClaimDueContracts(ctx context.Context, q contracts.ClaimQuery) ([]contracts.WorkItem, error) {
	const op = "claim contracts"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	// Another process may have claimed a due or planned contract.
	condition, orderBy, lockOption := `c.due_at <= clock_timestamp()`, `c.due_at`, `SKIP LOCKED`
	args := []any{q.ClaimFor, q.Limit}
	switch {
	case len(q.Tenants) > 0:
		condition, orderBy, lockOption = `c.tenant_id = ANY($3)`, `c.tenant_id`, ``
		args = append(args, q.Tenants)
	case q.PendingUpgrade != "":
		// A contract that is claimed, or that failed, stays deferred until its due
		// time.
		condition = `c.upgrade_to = $3 AND c.due_at <= clock_timestamp()`
		args = append(args, q.PendingUpgrade)
	}
	rows, err := pool.Query(ctx, `WITH taken AS (
			UPDATE tenant_contracts SET due_at = clock_timestamp() + $1::interval
			WHERE tenant_id IN (SELECT c.tenant_id FROM tenant_contracts c JOIN `+contractOwners+` t ON t.id = c.tenant_id
				WHERE `+condition+` AND `+managedContractsPredicate+` ORDER BY `+orderBy+` LIMIT $2 FOR UPDATE OF c `+lockOption+`)
			RETURNING *
		) SELECT `+workItemColumns+` FROM taken c JOIN `+contractOwners+` t ON t.id = c.tenant_id ORDER BY c.tenant_id`, args...)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	items, err := pgx.CollectRows(rows, scanWorkItem)
	return items, pgdb.Classify(err, op)
}

// ListContracts pages through all contracts.
func (s *Contracts) ListContracts(ctx context.Context, after uuid.UUID, limit int) ([]contracts.WorkItem, error) {
	return s.FindContracts(ctx, contracts.ListQuery{After: after, Limit: limit})
}

// workItemColumns are read by scanWorkItem, in this order, of contractOwners t and tenant_contracts c.
const workItemColumns = `t.id, t.is_registry, t.name, t.status, t.soroban_contract_id, t.created_at, t.audit_seq, t.audit_head,
	c.due_at, c.failures, coalesce(c.last_error, ''), coalesce(c.upgrade_to, ''), c.checked_at, coalesce(c.ledger, 0), coalesce(c.state, ''),
	coalesce(c.live_until, 0), coalesce(c.wasm_hash, ''), coalesce(c.contract_status, ''),
	coalesce(c.anchor_seq, 0), c.anchor_root, coalesce(c.anchor_ledger, 0), c.anchored_at`

func scanWorkItem(r pgx.CollectableRow) (item contracts.WorkItem, err error) {
	var (
		head, root            []byte
		checkedAt, anchoredAt *time.Time
		record                = &item.Record
	)
	err = r.Scan(&item.Tenant.ID, &item.Registry, &item.Tenant.Name, &item.Tenant.Status, &item.Tenant.ContractID, &item.Tenant.CreatedAt, &item.Head.Seq, &head,
		&record.DueAt, &record.ConsecutiveFailures, &record.LastError, &record.UpgradeTo, &checkedAt, &record.Ledger, &record.State, &record.LiveUntil, &record.WasmHash, &record.Status,
		&record.Anchor.Seq, &root, &record.Anchor.Ledger, &anchoredAt)
	copy(item.Head.Root[:], head)
	copy(record.Anchor.Root[:], root)
	record.TenantID, record.ContractID = item.Tenant.ID, item.Tenant.ContractID
	record.CheckedAt, record.AnchoredAt = zeroIfNil(checkedAt), zeroIfNil(anchoredAt)
	return item, err
}

// skippedUpgradeDelay is when a contract is due again whose upgrade this program
// skipped because it is of an earlier release.
const skippedUpgradeDelay = 30 * time.Second

// RecordContracts writes the state of contracts as read now. A contract whose tenant
// was archived or restored meanwhile, or whose upgrade was planned, stays due. A plan
// is only removed when the contract runs the planned code.
func (s *Contracts) RecordContracts(ctx context.Context, records []contracts.Record) error {
	return s.db.InTx(ctx, "record contracts", func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		for _, r := range records {
			var root []byte
			if r.Anchor.Seq > 0 {
				root = r.Anchor.Root[:]
			}
			batch.Queue(`UPDATE tenant_contracts SET due_at = CASE WHEN due_at <= clock_timestamp() THEN due_at
						WHEN upgrade_to NOT IN (@wasm_hash::text, @superseded::text) AND @error::text = '' THEN least(@due_at, clock_timestamp() + @skipped_delay::interval)
						ELSE @due_at END,
					failures = @failures, last_error = nullif(left(@error::text, 500), ''),
					upgrade_to = nullif(nullif(upgrade_to, @wasm_hash::text), @superseded::text),
					checked_at = @checked_at, ledger = nullif(@ledger::bigint, 0), state = nullif(@state::text, ''),
					live_until = nullif(@live_until::bigint, 0), wasm_hash = nullif(@wasm_hash::text, ''), contract_status = nullif(@status::text, ''),
					anchor_seq = nullif(@anchor_seq::bigint, 0), anchor_root = @anchor_root, anchor_ledger = nullif(@anchor_ledger::bigint, 0),
					anchored_at = @anchored_at
				WHERE tenant_id = @tenant_id`, pgx.StrictNamedArgs{
				"tenant_id": r.TenantID, "due_at": r.DueAt, "failures": r.ConsecutiveFailures, "error": r.LastError,
				"checked_at": nilIfZero(r.CheckedAt), "ledger": int64(r.Ledger), "state": string(r.State), "live_until": int64(r.LiveUntil),
				"wasm_hash": r.WasmHash, "status": string(r.Status), "superseded": r.SupersededUpgrade, "skipped_delay": skippedUpgradeDelay,
				"anchor_seq": r.Anchor.Seq, "anchor_root": root, "anchor_ledger": int64(r.Anchor.Ledger), "anchored_at": nilIfZero(r.AnchoredAt),
			})
		}
		return tx.SendBatch(ctx, batch).Close()
	})
}

// planBatchSize is how many upgrades one transaction plans: it locks their tenants'
// rows.
const planBatchSize = 500

// PlanUpgrade plans upgrades of contracts, for the next process that reconciles them,
// and audits each tenant. A contract that failed at the same upgrade is tried again.
func (s *Contracts) PlanUpgrade(ctx context.Context, hash string, tenantIDs []uuid.UUID) (planned int, err error) {
	// In the order of ids, so that two concurrent callers do not deadlock.
	tenantIDs = slices.SortedFunc(slices.Values(tenantIDs), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	for chunk := range slices.Chunk(tenantIDs, planBatchSize) {
		n := 0
		err := s.db.InTx(ctx, "plan upgrade of contracts", func(tx pgx.Tx) (err error) {
			n, err = planUpgrade(ctx, tx, hash, chunk)
			return err
		})
		if err != nil {
			return planned, err
		}
		planned += n
	}
	return planned, nil
}

func planUpgrade(ctx context.Context, tx pgx.Tx, hash string, tenantIDs []uuid.UUID) (int, error) {
	if _, err := tx.Exec(ctx, `SELECT FROM tenants WHERE id = ANY($1) ORDER BY id FOR UPDATE`, tenantIDs); err != nil {
		return 0, err
	}
	rows, _ := tx.Query(ctx, `SELECT c.tenant_id, c.upgrade_to IS DISTINCT FROM $2 FROM tenant_contracts c JOIN `+contractOwners+` t ON t.id = c.tenant_id
		WHERE c.tenant_id = ANY($1) AND `+managedContractsPredicate+` AND (c.upgrade_to IS DISTINCT FROM $2 OR c.last_error IS NOT NULL)
		ORDER BY t.is_registry, c.tenant_id FOR UPDATE OF c`, tenantIDs, hash) // The registry chain is the last that is locked.
	var (
		planned []uuid.UUID
		id      uuid.UUID
		isNew   bool
	)
	batch := &pgx.Batch{}
	_, err := pgx.ForEachRow(rows, []any{&id, &isNew}, func() error {
		if planned = append(planned, id); isNew {
			auditlog.Queue(ctx, batch, id, audit.ActionUpgradeContract, map[string]any{"wasmHash": hash})
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	batch.Queue(`UPDATE tenant_contracts SET upgrade_to = $2, due_at = clock_timestamp(), failures = 0, last_error = NULL WHERE tenant_id = ANY($1)`, planned, hash)
	return len(planned), tx.SendBatch(ctx, batch).Close()
}

// PendingUpgrades counts contracts with a pending upgrade to a code.
func (s *Contracts) PendingUpgrades(ctx context.Context, hash string) (pending, failed int, err error) {
	const op = "count upgrades"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return 0, 0, err
	}
	err = pool.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE c.last_error IS NOT NULL) FROM tenant_contracts c
		JOIN `+contractOwners+` t ON t.id = c.tenant_id WHERE c.upgrade_to = $1 AND `+managedContractsPredicate, hash).Scan(&pending, &failed)
	return pending, failed, pgdb.Classify(err, op)
}

// RecordDeployerBalance stores the deployer's balance.
func (s *Contracts) RecordDeployerBalance(ctx context.Context, networkID, address string, balance int64) error {
	const op = "record deployer balance"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `INSERT INTO stellar_accounts AS a (network_id, address, balance, checked_at) VALUES ($1, $2, $3, clock_timestamp())
		ON CONFLICT (network_id, address) DO UPDATE SET balance = excluded.balance, checked_at = excluded.checked_at`, networkID, address, balance)
	return pgdb.Classify(err, op)
}

// Defer makes contracts due for other processes, from a given time on.
func (s *Contracts) Defer(ctx context.Context, tenantIDs []uuid.UUID, dueAt time.Time) error {
	const op = "defer contracts"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `UPDATE tenant_contracts SET due_at = $2 WHERE tenant_id = ANY($1)`, tenantIDs, dueAt)
	return pgdb.Classify(err, op)
}

// UnknownContracts returns those of the addresses that neither a tenant nor the transaction
// log has.
func (s *Contracts) UnknownContracts(ctx context.Context, ids []string) ([]string, error) {
	const op = "find unknown contracts"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := pool.Query(ctx, `SELECT contract FROM unnest($1::text[]) asked(contract)
		WHERE NOT EXISTS (SELECT FROM stellar_transactions x WHERE x.contract_id = contract)
		  AND NOT EXISTS (SELECT FROM tenants t WHERE t.soroban_contract_id = contract)
		  AND NOT EXISTS (SELECT FROM tenant_contracts c JOIN registry r ON r.id = c.tenant_id WHERE c.contract_id = contract)`, ids)
	unknown, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return unknown, pgdb.Classify(err, op)
}
