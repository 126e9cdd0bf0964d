package postgres

import (
	"bytes"
	"crypto/sha256"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// The hashes are computed here and not by the functions in the database that made
// them: whoever can change rows can change those, too. What the database gives is
// the canonical text that goes into a hash.

// chainHead is where a chain ends.
type chainHead struct {
	seq  int64
	hash []byte
}

// link is one row of a chain.
type link struct {
	chainHead
	prev []byte // As the row has it, where it does.
	text string // What its hash covers, after the hash before.
}

// errBroken ends the reading of a chain at the row that does not fit.
var errBroken = errors.New("the chain is broken")

// walk checks links in their order and gives the last one that fits. told, when it
// is true, says that the rows carry the hash before themselves.
func (v *verification) walk(subject provisioning.Subject, rows pgx.Rows, scan func(*link) []any, told bool) (last chainHead, whole bool, err error) {
	var l link
	_, err = pgx.ForEachRow(rows, scan(&l), func() error {
		hash := sha256.Sum256(append(bytes.Clone(last.hash), l.text...))
		switch {
		case l.seq != last.seq+1:
			v.found(subject, "row %d is missing: after row %d comes row %d", last.seq+1, last.seq, l.seq)
		case told && !bytes.Equal(l.prev, last.hash):
			v.found(subject, "row %d does not follow row %d: it carries another hash than that row has", l.seq, last.seq)
		case !bytes.Equal(hash[:], l.hash):
			v.found(subject, "row %d was changed: its content does not have the hash that it carries", l.seq)
		default:
			last = chainHead{seq: l.seq, hash: bytes.Clone(l.hash)}
			return nil
		}
		return errBroken
	})
	if errors.Is(err, errBroken) {
		return last, false, nil
	}
	return last, err == nil, err
}

// events checks the chain of audit events, and that it ends where the registry
// says it does.
func (v *verification) events(head chainHead) error {
	rows, err := v.tx.Query(v.ctx, `SELECT seq, hash, jsonb_build_array(tenant_id, seq, (extract(epoch FROM at) * 1000000)::bigint,
			action, outcome::text, actor, detail)::text
		FROM audit_events WHERE tenant_id = $1 ORDER BY seq`, v.tenant)
	if err != nil {
		return err
	}
	last, whole, err := v.walk(provisioning.SubjectAudit, rows, func(l *link) []any { return []any{&l.seq, &l.hash, &l.text} }, false)
	switch {
	case err != nil || !whole:
		return err
	case last.seq == 0 && head.seq == 0 && v.tenant != uuid.Nil:
		v.found(provisioning.SubjectAudit, "there are no events, not even of the tenant's creation")
	case last.seq != head.seq:
		v.found(provisioning.SubjectAudit, "the chain ends with row %d, but the registry says with row %d", last.seq, head.seq)
	case !bytes.Equal(last.hash, head.hash):
		v.found(provisioning.SubjectAudit, "row %d, the last, has another hash than the registry says", last.seq)
	}
	return nil
}

// tenantEvents checks the chain in the tenant's own schema. Its text is sent as it
// is, without preparing it: the next tenant's is another one.
func (v *verification) tenantEvents(t provisioning.Tenant) error {
	table := pgx.Identifier{t.SchemaName, "audit_logs"}.Sanitize()
	there, err := v.exists(`SELECT FROM pg_class WHERE oid = to_regclass($1)`, table)
	if err != nil {
		return err
	}
	if !there {
		v.found(provisioning.SubjectSchema, "the table audit_logs is not there")
		return nil
	}
	rows, err := v.tx.Query(v.ctx, `SELECT seq, hash, prev_hash, jsonb_build_array(seq, id, user_id, action, entity_type, entity_id, changes,
			(extract(epoch FROM created_at) * 1000000)::bigint)::text FROM `+table+` ORDER BY seq`, pgx.QueryExecModeExec)
	if err != nil {
		return err
	}
	_, _, err = v.walk(provisioning.SubjectTenantAudit, rows, func(l *link) []any { return []any{&l.seq, &l.hash, &l.prev, &l.text} }, true)
	return err
}
