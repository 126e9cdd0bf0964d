package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

var _ provisioning.RegistryVerifier = (*DB)(nil)

// Verify checks a tenant's audit chains, schema, version and role; uuid.Nil is the
// platform's chain. It reads in one transaction that changes nothing and sees one
// moment, and holds up nobody.
func (db *DB) Verify(ctx context.Context, tenant uuid.UUID) ([]provisioning.Finding, error) {
	const op = "verify tenant"
	pool, err := db.ready(ctx)
	if err != nil {
		return nil, err
	}
	v := &verification{ctx: ctx, tenant: tenant}
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		v.tx, v.findings = tx, nil
		if tenant == uuid.Nil {
			return v.platform()
		}
		return v.whole()
	})
	return v.findings, failure(err, op)
}

// VerifyAnchor holds a tenant's audit chain against an anchor of it. The chain itself
// is Verify's business: it has the anchored event's hash only with all before it as
// they were.
func (db *DB) VerifyAnchor(ctx context.Context, tenant uuid.UUID, anchor provisioning.Anchor) ([]provisioning.Finding, error) {
	const op = "verify anchor"
	pool, err := db.ready(ctx)
	if err != nil {
		return nil, err
	}
	v := &verification{tenant: tenant}
	var hash []byte
	err = pool.QueryRow(ctx, `SELECT hash FROM audit_events WHERE tenant_id = $1 AND seq = $2`, tenant, anchor.Seq).Scan(&hash)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		v.found(provisioning.SubjectAudit, "row %d is missing, though the contract anchored it in ledger %d", anchor.Seq, anchor.Ledger)
	case err != nil:
		return nil, failure(err, op)
	case !bytes.Equal(hash, anchor.Root[:]):
		v.found(provisioning.SubjectAudit, "row %d has another hash than the contract anchored in ledger %d: it, or a row before it, was changed", anchor.Seq, anchor.Ledger)
	}
	return v.findings, nil
}

// verification is one check of one tenant.
type verification struct {
	ctx      context.Context
	tx       pgx.Tx
	tenant   uuid.UUID
	findings []provisioning.Finding
}

func (v *verification) found(subject provisioning.Subject, format string, args ...any) {
	v.findings = append(v.findings, provisioning.Finding{TenantID: v.tenant, Subject: subject, Message: fmt.Sprintf(format, args...)})
}

func (v *verification) platform() error {
	var head chainHead
	if err := v.tx.QueryRow(v.ctx, `SELECT seq, head FROM platform_audit`).Scan(&head.seq, &head.hash); err != nil {
		return err
	}
	if err := v.events(head); err != nil {
		return err
	}
	return v.strays()
}

func (v *verification) whole() error {
	var (
		head chainHead
		undo bool
	)
	err := v.tx.QueryRow(v.ctx, `SELECT audit_seq, audit_head, undo IS NOT NULL FROM tenants WHERE id = $1`, v.tenant).Scan(&head.seq, &head.hash, &undo)
	if errors.Is(err, pgx.ErrNoRows) {
		return provisioning.Errorf(provisioning.KindNotFound, "verify tenant", "there is no tenant %s", v.tenant)
	}
	if err != nil {
		return err
	}
	rows, err := v.tx.Query(v.ctx, `SELECT `+tenantColumns+` FROM tenants WHERE id = $1`, v.tenant)
	if err != nil {
		return err
	}
	t, err := pgx.CollectExactlyOneRow(rows, scanTenant)
	if err == nil {
		err = v.events(head)
	}
	if err == nil && !undo && len(v.findings) == 0 { // A chain that does not hold tells nothing.
		err = v.status(t)
	}
	switch {
	case err != nil:
		return err
	case undo || !t.Status.Resting():
		return nil // Whether schema and role are there depends on how far the run is.
	case t.WasLive() && t.PurgedAt.IsZero():
		return v.present(t)
	}
	return v.absent(t)
}

// present checks schema and role of a tenant that has them.
func (v *verification) present(t provisioning.Tenant) error {
	there, err := v.exists(`SELECT FROM pg_namespace WHERE nspname = $1`, t.SchemaName)
	if err != nil {
		return err
	}
	if !there {
		v.found(provisioning.SubjectSchema, "the schema %s is not there", t.SchemaName)
	} else if err := v.tenantEvents(t); err != nil {
		return err
	}
	if err := v.version(); err != nil {
		return err
	}
	return v.role(t)
}

// absent checks that nothing is left of a tenant that was purged or never live.
func (v *verification) absent(t provisioning.Tenant) error {
	for _, c := range []struct {
		subject provisioning.Subject
		query   string
		name    string
	}{
		{provisioning.SubjectSchema, `SELECT FROM pg_namespace WHERE nspname = $1`, t.SchemaName},
		{provisioning.SubjectRole, `SELECT FROM pg_roles WHERE rolname = $1`, t.DatabaseRole},
	} {
		there, err := v.exists(c.query, c.name)
		if err != nil {
			return err
		}
		if there {
			v.found(c.subject, "the %s %s is still there, though the tenant was purged or never live", c.subject, c.name)
		}
	}
	if t.PurgedAt.IsZero() {
		return nil
	}
	certified, err := v.exists(`SELECT FROM purge_certificates WHERE tenant_id = $1`, t.ID)
	if err == nil && !certified {
		v.found(provisioning.SubjectSchema, "the tenant was purged, but there is no certificate of it")
	}
	return err
}

func (v *verification) exists(query string, args ...any) (there bool, err error) {
	err = v.tx.QueryRow(v.ctx, `SELECT EXISTS (`+query+`)`, args...).Scan(&there)
	return there, err
}

// version checks the ledger of the tenant's schema.
func (v *verification) version() error {
	rows, err := v.tx.Query(v.ctx, `SELECT version, checksum FROM tenant_migrations WHERE tenant_id = $1 ORDER BY version`, v.tenant)
	if err != nil {
		return err
	}
	var (
		version  int
		checksum string
		last     int
	)
	_, err = pgx.ForEachRow(rows, []any{&version, &checksum}, func() error {
		if wrong := checkVersion(tenantVersions, version, checksum); wrong != nil {
			v.found(provisioning.SubjectSchema, "%s", provisioning.SafeMessage(wrong))
		} else if last != 0 && version != last+1 {
			v.found(provisioning.SubjectSchema, "the record of version %d is missing", last+1)
		}
		last = version
		return nil
	})
	switch {
	case err != nil:
		return err
	case last == 0:
		v.found(provisioning.SubjectSchema, "nothing is known of the version of the tenant's schema")
	case last < TenantSchemaVersion:
		v.found(provisioning.SubjectSchema, "the tenant's schema is at version %d and the newest is %d; migrate it", last, TenantSchemaVersion)
	}
	return nil
}
