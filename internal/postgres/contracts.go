package postgres

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

var _ provisioning.ContractBook = (*DB)(nil)

// kept matches the tenants whose contracts are looked after.
const kept = `t.purged_at IS NULL AND t.soroban_contract_id IS NOT NULL`

// AdoptContracts adds contracts that are not in the book yet. They are due at once.
func (db *DB) AdoptContracts(ctx context.Context, tenants ...uuid.UUID) (int, error) {
	const op = "adopt contracts"
	pool, err := db.ready(ctx)
	if err != nil {
		return 0, err
	}
	tag, err := pool.Exec(ctx, `INSERT INTO tenant_contracts (tenant_id, contract_id)
		SELECT t.id, t.soroban_contract_id FROM tenants t
		WHERE `+kept+` AND t.status IN ('ACTIVE', 'ARCHIVED') AND NOT EXISTS (SELECT FROM tenant_contracts c WHERE c.tenant_id = t.id)
		  AND ($1::uuid[] IS NULL OR t.id = ANY($1))
		ON CONFLICT DO NOTHING`, tenants)
	return int(tag.RowsAffected()), failure(err, op)
}

// TakeContracts gives contracts to look at, and puts them off for others.
func (db *DB) TakeContracts(ctx context.Context, q provisioning.ContractQuery) ([]provisioning.ContractDuty, error) {
	const op = "take contracts"
	pool, err := db.ready(ctx)
	if err != nil {
		return nil, err
	}
	// Of what is due, or planned, somebody else may have taken it.
	which, order, skip := `c.due_at <= clock_timestamp()`, `c.due_at`, `SKIP LOCKED`
	args := []any{q.PutOff, q.Limit}
	switch {
	case len(q.Tenants) > 0:
		which, order, skip = `c.tenant_id = ANY($3)`, `c.tenant_id`, ``
		args = append(args, q.Tenants)
	case q.Upgrade != "":
		// One that somebody is at, or that was tried and left, waits for its time.
		which = `c.upgrade_to = $3 AND c.due_at <= clock_timestamp()`
		args = append(args, q.Upgrade)
	}
	rows, err := pool.Query(ctx, `WITH taken AS (
			UPDATE tenant_contracts SET due_at = clock_timestamp() + $1::interval
			WHERE tenant_id IN (SELECT c.tenant_id FROM tenant_contracts c JOIN tenants t ON t.id = c.tenant_id
				WHERE `+which+` AND `+kept+` ORDER BY `+order+` LIMIT $2 FOR UPDATE OF c `+skip+`)
			RETURNING *
		) SELECT `+dutyColumns+` FROM taken c JOIN tenants t ON t.id = c.tenant_id ORDER BY c.tenant_id`, args...)
	if err != nil {
		return nil, failure(err, op)
	}
	duties, err := pgx.CollectRows(rows, scanDuty)
	return duties, failure(err, op)
}

// ContractsAfter pages through all contracts.
func (db *DB) ContractsAfter(ctx context.Context, after uuid.UUID, limit int) ([]provisioning.ContractDuty, error) {
	const op = "list contracts"
	pool, err := db.ready(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `SELECT `+dutyColumns+` FROM tenant_contracts c JOIN tenants t ON t.id = c.tenant_id
		WHERE c.tenant_id > $1 AND `+kept+` ORDER BY c.tenant_id LIMIT $2`, after, limit)
	if err != nil {
		return nil, failure(err, op)
	}
	duties, err := pgx.CollectRows(rows, scanDuty)
	return duties, failure(err, op)
}

// dutyColumns are read by scanDuty, in this order, of tenants t and tenant_contracts c.
const dutyColumns = `t.id, t.name, t.status::text, t.soroban_contract_id, t.created_at, t.audit_seq, t.audit_head,
	c.due_at, c.tries, coalesce(c.problem, ''), coalesce(c.upgrade_to, ''), c.checked_at, coalesce(c.ledger, 0), coalesce(c.life, ''),
	coalesce(c.live_until, 0), coalesce(c.wasm_hash, ''), coalesce(c.says_archived, false),
	coalesce(c.anchor_seq, 0), c.anchor_root, coalesce(c.anchor_ledger, 0), c.anchored_at`

func scanDuty(r pgx.CollectableRow) (d provisioning.ContractDuty, err error) {
	var (
		head, root        []byte
		checked, anchored *time.Time
		k                 = &d.Known
	)
	err = r.Scan(&d.Tenant.ID, &d.Tenant.Name, &d.Tenant.Status, &d.Tenant.ContractID, &d.Tenant.CreatedAt, &d.Head.Seq, &head,
		&k.DueAt, &k.Tries, &k.Problem, &k.UpgradeTo, &checked, &k.Ledger, &k.Life, &k.LiveUntil, &k.WasmHash, &k.Archived,
		&k.Anchor.Seq, &root, &k.Anchor.Ledger, &anchored)
	copy(d.Head.Root[:], head)
	copy(k.Anchor.Root[:], root)
	k.TenantID, k.ContractID = d.Tenant.ID, d.Tenant.ContractID
	k.CheckedAt, k.AnchoredAt = timeOf(checked), timeOf(anchored)
	return d, err
}

// leftUpgrade is when a contract is due again whose upgrade was left to others,
// because this program is of an earlier release.
const leftUpgrade = 30 * time.Second

// RecordContracts writes what is known of contracts now. One whose tenant was
// archived or restored meanwhile, or whose upgrade was planned, stays due; a plan
// ends when the contract runs that code, and with nothing else.
func (db *DB) RecordContracts(ctx context.Context, records []provisioning.ContractRecord) error {
	return db.inTx(ctx, "record contracts", func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		for _, r := range records {
			var root []byte
			if r.Anchor.Seq > 0 {
				root = r.Anchor.Root[:]
			}
			batch.Queue(`UPDATE tenant_contracts SET due_at = CASE WHEN due_at <= clock_timestamp() THEN due_at
						WHEN upgrade_to NOT IN ($9::text, $16::text) AND $4::text = '' THEN least($2, clock_timestamp() + $15::interval) ELSE $2 END,
					tries = $3, problem = nullif(left($4::text, 500), ''), upgrade_to = nullif(nullif(upgrade_to, $9::text), $16::text), checked_at = $5, ledger = nullif($6::bigint, 0),
					life = nullif($7::text, ''), live_until = nullif($8::bigint, 0), wasm_hash = nullif($9::text, ''), says_archived = $10,
					anchor_seq = nullif($11::bigint, 0), anchor_root = $12, anchor_ledger = nullif($13::bigint, 0), anchored_at = $14
				WHERE tenant_id = $1`,
				r.TenantID, r.DueAt, r.Tries, r.Problem, orNull(r.CheckedAt), int64(r.Ledger), string(r.Life), int64(r.LiveUntil), r.WasmHash,
				r.Archived, r.Anchor.Seq, root, int64(r.Anchor.Ledger), orNull(r.AnchoredAt), leftUpgrade, r.Dropped)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// planAtOnce is how many upgrades one transaction plans: it holds their tenants' rows.
const planAtOnce = 500

// PlanUpgrade has contracts upgraded, by whoever looks at them next, and audits it
// for each tenant. One that failed at the same upgrade is tried anew.
func (db *DB) PlanUpgrade(ctx context.Context, hash string, tenants []uuid.UUID) (planned int, err error) {
	// In the order of ids, so that two who plan at once wait for each other and no more.
	tenants = slices.SortedFunc(slices.Values(tenants), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	for some := range slices.Chunk(tenants, planAtOnce) {
		n := 0
		err := db.inTx(ctx, "plan upgrade of contracts", func(tx pgx.Tx) (err error) {
			n, err = planUpgrade(ctx, tx, hash, some)
			return err
		})
		if err != nil {
			return planned, err
		}
		planned += n
	}
	return planned, nil
}

func planUpgrade(ctx context.Context, tx pgx.Tx, hash string, tenants []uuid.UUID) (int, error) {
	rows, _ := tx.Query(ctx, `SELECT c.tenant_id, c.upgrade_to IS DISTINCT FROM $2 FROM tenant_contracts c JOIN tenants t ON t.id = c.tenant_id
		WHERE c.tenant_id = ANY($1) AND `+kept+` AND (c.upgrade_to IS DISTINCT FROM $2 OR c.problem IS NOT NULL)
		ORDER BY c.tenant_id FOR UPDATE OF t, c`, tenants, hash)
	var (
		all   []uuid.UUID
		id    uuid.UUID
		fresh bool
	)
	batch := &pgx.Batch{}
	_, err := pgx.ForEachRow(rows, []any{&id, &fresh}, func() error {
		if all = append(all, id); fresh {
			queueAudit(ctx, batch, id, provisioning.AuditUpgrade, map[string]any{"wasmHash": hash})
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	batch.Queue(`UPDATE tenant_contracts SET upgrade_to = $2, due_at = clock_timestamp(), tries = 0, problem = NULL WHERE tenant_id = ANY($1)`, all, hash)
	return len(all), tx.SendBatch(ctx, batch).Close()
}

// UpgradesLeft counts contracts that wait for an upgrade to a code.
func (db *DB) UpgradesLeft(ctx context.Context, hash string) (waiting, stuck int, err error) {
	const op = "count upgrades"
	pool, err := db.ready(ctx)
	if err != nil {
		return 0, 0, err
	}
	err = pool.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE c.problem IS NOT NULL) FROM tenant_contracts c
		JOIN tenants t ON t.id = c.tenant_id WHERE c.upgrade_to = $1 AND `+kept, hash).Scan(&waiting, &stuck)
	return waiting, stuck, failure(err, op)
}

// RecordDeployer writes the deployer's balance.
func (db *DB) RecordDeployer(ctx context.Context, networkID, address string, balance int64) error {
	const op = "record deployer"
	pool, err := db.ready(ctx)
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `INSERT INTO stellar_accounts AS a (network_id, address, balance, checked_at) VALUES ($1, $2, $3, clock_timestamp())
		ON CONFLICT (network_id, address) DO UPDATE SET balance = excluded.balance, checked_at = excluded.checked_at`, networkID, address, balance)
	return failure(err, op)
}

// PutBack has contracts looked at by others, from some time on.
func (db *DB) PutBack(ctx context.Context, tenants []uuid.UUID, until time.Time) error {
	const op = "give contracts back"
	pool, err := db.ready(ctx)
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `UPDATE tenant_contracts SET due_at = $2 WHERE tenant_id = ANY($1)`, tenants, until)
	return failure(err, op)
}

// BrokenChains holds the anchors of contracts against the audit chains, in one query.
func (db *DB) BrokenChains(ctx context.Context, contracts []provisioning.ContractState) (map[uuid.UUID]string, error) {
	const op = "compare anchors"
	var (
		tenants []uuid.UUID
		seqs    []int64
		roots   [][]byte
		broken  = map[uuid.UUID]string{}
	)
	for i := range contracts {
		if a := &contracts[i].Anchor; a.Seq > 0 {
			tenants, seqs, roots = append(tenants, contracts[i].TenantID), append(seqs, a.Seq), append(roots, a.Root[:])
		}
	}
	if len(tenants) == 0 {
		return broken, nil
	}
	pool, err := db.ready(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `SELECT a.tenant, a.seq, e.hash IS NULL FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) AS a (tenant, seq, root)
		LEFT JOIN audit_events e ON e.tenant_id = a.tenant AND e.seq = a.seq WHERE e.hash IS DISTINCT FROM a.root`, tenants, seqs, roots)
	if err != nil {
		return nil, failure(err, op)
	}
	var (
		tenant  uuid.UUID
		seq     int64
		missing bool
	)
	_, err = pgx.ForEachRow(rows, []any{&tenant, &seq, &missing}, func() error {
		broken[tenant] = fmt.Sprintf("the audit chain differs from what the contract anchored: event %d was changed, or one before it", seq)
		if missing {
			broken[tenant] = fmt.Sprintf("the audit chain is shorter than what the contract anchored: event %d is missing", seq)
		}
		return nil
	})
	return broken, failure(err, op)
}
