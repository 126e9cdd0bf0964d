package checks

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// The hashes are computed here and not by the functions in the database that made
// them: a user who can change rows can change those, too. The database only returns the
// canonical text that is hashed.

// chainHead is the last link of a chain.
type chainHead struct {
	seq  int64
	hash []byte
}

// chainLink is one row of a chain.
type chainLink struct {
	chainHead
	prev   []byte // The hash of the row before, if the row has it.
	text   string // What its hash covers, after the previous hash.
	values *saltedValues
}

// saltedValues are the values of an audit event that a purge deletes: salt, actor and detail,
// or the hashes that it leaves in their place.
type saltedValues struct {
	salt                  *uuid.UUID
	actor, detail         *string
	actorHash, detailHash []byte
}

func (s *saltedValues) redacted() bool { return s.salt == nil }

// hashes are what the hash of the event covers of actor and detail; nil if they are neither
// complete nor deleted.
func (s *saltedValues) hashes() []byte {
	switch {
	case s.redacted() && s.actor == nil && s.detail == nil:
		return slices.Concat(s.actorHash, s.detailHash)
	case s.redacted() || s.actor == nil || s.detail == nil:
		return nil
	}
	actor, detail := sha256.Sum256(append(s.salt[:], *s.actor...)), sha256.Sum256(append(s.salt[:], *s.detail...))
	return slices.Concat(actor[:], detail[:])
}

// content is what the hash of the row covers, after the previous hash.
func (l *chainLink) content() []byte {
	if l.values == nil {
		return []byte(l.text)
	}
	return append([]byte(l.text), l.values.hashes()...)
}

// errBrokenChain ends the reading of a chain at the row that does not fit.
var errBrokenChain = errors.New("the chain is broken")

// verifyChain checks links in order and returns the last valid one. With hasPrevHash, each
// row also has the hash of the row before.
func (v *verifier) verifyChain(subject verification.Subject, rows pgx.Rows, scan func(*chainLink) []any, hasPrevHash bool) (last chainHead, complete bool, err error) {
	var l chainLink
	_, err = pgx.ForEachRow(rows, scan(&l), func() error {
		hash := sha256.Sum256(slices.Concat(last.hash, l.content()))
		switch {
		case l.seq != last.seq+1:
			v.addDrift(subject, "row %d is missing: after row %d comes row %d", last.seq+1, last.seq, l.seq)
		case hasPrevHash && !bytes.Equal(l.prev, last.hash):
			v.addDrift(subject, "row %d does not follow row %d: its previous hash is not that row's hash", l.seq, last.seq)
		case !bytes.Equal(hash[:], l.hash):
			v.addDrift(subject, "row %d was changed: its content does not match its hash", l.seq)
		case l.values != nil && l.values.redacted() && l.seq >= v.purgedAt:
			v.addDrift(subject, "row %d has no caller and no detail, although no purge followed it", l.seq)
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

// checkEvents checks the chain of audit events, and that its end is the head in the
// registry.
func (v *verifier) checkEvents(head chainHead) error {
	err := v.tx.QueryRow(v.ctx, `SELECT coalesce(max(seq), 0) FROM audit_events WHERE tenant_id = $1 AND action = $2 AND outcome = $3`,
		v.tenantID, string(audit.ActionPurge), string(audit.OutcomeDone)).Scan(&v.purgedAt)
	if err != nil {
		return err
	}
	rows, err := v.tx.Query(v.ctx, `SELECT seq, hash, jsonb_build_array(tenant_id, seq, (extract(epoch FROM at) * 1000000)::bigint,
			action, outcome::text)::text, salt, actor::text, detail::text, actor_hash, detail_hash
		FROM audit_events WHERE tenant_id = $1 ORDER BY seq`, v.tenantID)
	if err != nil {
		return err
	}
	last, complete, err := v.verifyChain(verification.SubjectAudit, rows, func(l *chainLink) []any {
		l.values = &saltedValues{}
		return []any{&l.seq, &l.hash, &l.text, &l.values.salt, &l.values.actor, &l.values.detail, &l.values.actorHash, &l.values.detailHash}
	}, false)
	if err != nil || !complete {
		return err
	}
	if last.seq == 0 && head.seq == 0 && v.tenantID != uuid.Nil {
		v.addDrift(verification.SubjectAudit, "the chain has no events, not even that of the creation")
	}
	v.checkHead(verification.SubjectAudit, last, head, "the registry")
	return nil
}

// checkTenantLog checks the chain in the tenant's own schema, and that its end is the head
// there. The statements are not prepared: each tenant has others.
func (v *verifier) checkTenantLog(t tenant.Tenant) error {
	table := func(name string) string { return pgx.Identifier{t.SchemaName, name}.Sanitize() }
	for _, name := range []string{"audit_logs", "audit_head"} {
		exists, err := v.exists(`SELECT FROM pg_class WHERE oid = to_regclass($1)`, table(name))
		if err != nil {
			return err
		}
		if !exists {
			v.addDrift(verification.SubjectSchema, "the table %s is missing", name)
			return nil
		}
	}
	rows, err := v.tx.Query(v.ctx, `SELECT seq, hash, prev_hash, jsonb_build_array(seq, id, user_id, action, entity_type, entity_id, changes,
			(extract(epoch FROM created_at) * 1000000)::bigint)::text FROM `+table("audit_logs")+` ORDER BY seq`, pgx.QueryExecModeExec)
	if err != nil {
		return err
	}
	last, complete, err := v.verifyChain(verification.SubjectTenantAudit, rows, func(l *chainLink) []any { return []any{&l.seq, &l.hash, &l.prev, &l.text} }, true)
	if err != nil || !complete {
		return err
	}
	var head chainHead
	err = v.tx.QueryRow(v.ctx, `SELECT seq, decode(hash, 'hex') FROM `+table("audit_head"), pgx.QueryExecModeExec).Scan(&head.seq, &head.hash)
	if errors.Is(err, pgx.ErrNoRows) {
		v.addDrift(verification.SubjectTenantAudit, "the table audit_head has no row")
		return nil
	}
	if err == nil {
		v.checkHead(verification.SubjectTenantAudit, last, head, "the table audit_head")
	}
	return err
}

// checkHead checks that the last row of a chain is its head, which is stored elsewhere.
func (v *verifier) checkHead(subject verification.Subject, last, head chainHead, where string) {
	switch {
	case last.seq != head.seq:
		v.addDrift(subject, "the chain ends with row %d, but %s has row %d as its last", last.seq, where, head.seq)
	case !bytes.Equal(last.hash, head.hash):
		v.addDrift(subject, "row %d, the last, has another hash than %s has for it", last.seq, where)
	}
}
