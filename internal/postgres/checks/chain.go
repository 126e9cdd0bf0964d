package checks

import (
	"bytes"
	"crypto/sha256"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// The hashes are computed here and not by the functions in the database that made
// them: a user who can change rows can change those, too. The database only returns the
// canonical text that is hashed.

// chainHead is where a chain ends.
type chainHead struct {
	seq  int64
	hash []byte
}

// chainLink is one row of a chain.
type chainLink struct {
	chainHead
	prev []byte // As the row has it, where it does.
	text string // What its hash covers, after the hash before.
}

// errBrokenChain ends the reading of a chain at the row that does not fit.
var errBrokenChain = errors.New("the chain is broken")

// verifyChain checks links in their order and gives the last one that fits. told, when it
// is true, says that the rows carry the hash before themselves.
func (v *verifier) verifyChain(subject verification.Subject, rows pgx.Rows, scan func(*chainLink) []any, hasPrevHash bool) (last chainHead, complete bool, err error) {
	var l chainLink
	_, err = pgx.ForEachRow(rows, scan(&l), func() error {
		hash := sha256.Sum256(append(bytes.Clone(last.hash), l.text...))
		switch {
		case l.seq != last.seq+1:
			v.addDrift(subject, "row %d is missing: after row %d comes row %d", last.seq+1, last.seq, l.seq)
		case hasPrevHash && !bytes.Equal(l.prev, last.hash):
			v.addDrift(subject, "row %d does not follow row %d: it carries another hash than that row has", l.seq, last.seq)
		case !bytes.Equal(hash[:], l.hash):
			v.addDrift(subject, "row %d was changed: its content does not have the hash that it carries", l.seq)
		default:
			last = chainHead{seq: l.seq, hash: bytes.Clone(l.hash)}
			return nil
		}
		return errBrokenChain
	})
	if errors.Is(err, errBrokenChain) {
		return last, false, nil
	}
	return last, err == nil, err
}

// checkEvents checks the chain of audit events, and that it ends where the registry
// says it does.
func (v *verifier) checkEvents(head chainHead) error {
	rows, err := v.tx.Query(v.ctx, `SELECT seq, hash, jsonb_build_array(tenant_id, seq, (extract(epoch FROM at) * 1000000)::bigint,
			action, outcome::text, actor, detail)::text
		FROM audit_events WHERE tenant_id = $1 ORDER BY seq`, v.tenantID)
	if err != nil {
		return err
	}
	last, complete, err := v.verifyChain(verification.SubjectAudit, rows, func(l *chainLink) []any { return []any{&l.seq, &l.hash, &l.text} }, false)
	switch {
	case err != nil || !complete:
		return err
	case last.seq == 0 && head.seq == 0 && v.tenantID != uuid.Nil:
		v.addDrift(verification.SubjectAudit, "there are no events, not even of the tenant's creation")
	case last.seq != head.seq:
		v.addDrift(verification.SubjectAudit, "the chain ends with row %d, but the registry says with row %d", last.seq, head.seq)
	case !bytes.Equal(last.hash, head.hash):
		v.addDrift(verification.SubjectAudit, "row %d, the last, has another hash than the registry says", last.seq)
	}
	return nil
}

// checkTenantLog checks the chain in the tenant's own schema. Its text is sent as it
// is, without preparing it: the next tenant's is another one.
func (v *verifier) checkTenantLog(t tenant.Tenant) error {
	table := pgx.Identifier{t.SchemaName, "audit_logs"}.Sanitize()
	exists, err := v.exists(`SELECT FROM pg_class WHERE oid = to_regclass($1)`, table)
	if err != nil {
		return err
	}
	if !exists {
		v.addDrift(verification.SubjectSchema, "the table audit_logs is not there")
		return nil
	}
	rows, err := v.tx.Query(v.ctx, `SELECT seq, hash, prev_hash, jsonb_build_array(seq, id, user_id, action, entity_type, entity_id, changes,
			(extract(epoch FROM created_at) * 1000000)::bigint)::text FROM `+table+` ORDER BY seq`, pgx.QueryExecModeExec)
	if err != nil {
		return err
	}
	_, _, err = v.verifyChain(verification.SubjectTenantAudit, rows, func(l *chainLink) []any { return []any{&l.seq, &l.hash, &l.prev, &l.text} }, true)
	return err
}
