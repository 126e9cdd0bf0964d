package stellarstore

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// anchorMismatchesSQL lists the anchors that the audit chains do not have. Anchors up to the ledger of
// an accepted restore are of the registry before it.
const anchorMismatchesSQL = `SELECT a.tenant, a.seq, e.hash IS NULL FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bigint[]) AS a (tenant, seq, root, ledger)
	CROSS JOIN registry g LEFT JOIN registry r ON r.id = a.tenant
	LEFT JOIN audit_events e ON e.tenant_id = CASE WHEN r.id IS NULL THEN a.tenant ELSE '00000000-0000-0000-0000-000000000000' END AND e.seq = a.seq
	WHERE e.hash IS DISTINCT FROM a.root AND NOT a.ledger BETWEEN 1 AND g.accepted_ledger`

// AnchorMismatches compares the anchors of contracts with the audit chains, in one query. An event that
// is missing in its chain shows that the registry was restored from a backup: that is recorded, and no
// run begins until it is accepted.
func (s *Contracts) AnchorMismatches(ctx context.Context, snapshots []contracts.Snapshot) (map[uuid.UUID]string, error) {
	const op = "compare anchors"
	var (
		tenantIDs  []uuid.UUID
		seqs       []int64
		roots      [][]byte
		ledgers    []int64
		newest     int64 // The newest ledger of all snapshots.
		mismatches = map[uuid.UUID]string{}
	)
	for i := range snapshots {
		newest = max(newest, int64(snapshots[i].Ledger))
		if a := &snapshots[i].Anchor; a.Seq > 0 {
			tenantIDs, seqs, roots, ledgers = append(tenantIDs, snapshots[i].TenantID), append(seqs, a.Seq), append(roots, a.Root[:]), append(ledgers, int64(a.Ledger))
		}
	}
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, anchorMismatchesSQL, tenantIDs, seqs, roots, ledgers)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	var (
		tenantID uuid.UUID
		seq      int64
		missing  bool
		evidence string
		shows    = uuid.Nil // The tenant with the evidence.
	)
	_, err = pgx.ForEachRow(rows, []any{&tenantID, &seq, &missing}, func() error {
		mismatches[tenantID] = fmt.Sprintf("the audit chain differs from what the contract anchored: event %d or an earlier one was changed", seq)
		if missing {
			mismatches[tenantID] = fmt.Sprintf("the audit chain is shorter than what the contract anchored: event %d is missing", seq)
			evidence, shows = fmt.Sprintf("event %d of the audit chain of %s, which its contract has anchored, is missing", seq, tenantID), tenantID
		}
		return nil
	})
	if err == nil {
		err = s.recordEvidence(ctx, snapshots, mismatches, evidence, shows, newest)
	}
	return mismatches, pgdb.Classify(err, op)
}

// recordEvidence records evidence that the registry was restored, and withdraws an earlier one whose
// contract does not show it any more: an RPC server can lie for a while.
func (s *Contracts) recordEvidence(ctx context.Context, snapshots []contracts.Snapshot, mismatches map[uuid.UUID]string, evidence string, shows uuid.UUID, ledger int64) error {
	var fine []uuid.UUID
	for i := range snapshots {
		if _, mismatch := mismatches[snapshots[i].TenantID]; !mismatch && snapshots[i].State != "" {
			fine = append(fine, snapshots[i].TenantID)
		}
	}
	_, err := s.db.Pool().Exec(ctx, `UPDATE registry SET restore_evidence = nullif($1::text, ''), evidence_tenant = nullif($2::uuid, '00000000-0000-0000-0000-000000000000'), evidence_ledger = nullif($3::bigint, 0)
		WHERE CASE WHEN $1::text <> '' THEN restore_evidence IS NULL OR evidence_tenant = ANY($4) ELSE evidence_tenant = ANY($4) END`, evidence, shows, ledger, fine)
	if pgdb.IsInsufficientPrivilege(err) {
		return nil // The user of a server without a worker; workers read each contract, too.
	}
	return err
}
