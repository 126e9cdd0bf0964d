// Package checks verifies audit chains, schemas, roles and the registry. It changes nothing.
package checks

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/publish"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// Checks verifies audit chains, schemas and roles. It changes nothing.
type Checks struct {
	db         *pgdb.DB
	schemas    *tenantschema.Schemas
	blueprints *publish.Blueprints
}

// New returns the checks of a database.
func New(db *pgdb.DB, schemas *tenantschema.Schemas, blueprints *publish.Blueprints) *Checks {
	return &Checks{db, schemas, blueprints}
}

// Verify checks a tenant's audit chains, schema, version and role; uuid.Nil is the
// registry chain. It reads one snapshot in a read-only transaction and
// blocks no other.
func (s *Checks) Verify(ctx context.Context, tenantID uuid.UUID) ([]verification.Finding, error) {
	const op = "verify tenant"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	v := &verifier{ctx: ctx, schemas: s.schemas, tenantID: tenantID}
	if tenantID != uuid.Nil {
		if v.expected, err = s.expected(ctx, tenantID); err != nil {
			return nil, err
		}
	}
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		v.tx, v.drift = tx, nil
		if tenantID == uuid.Nil {
			return v.checkRegistry()
		}
		return v.checkTenant()
	})
	return v.drift, pgdb.Classify(err, op)
}

// RegistryContract returns the registry's id and, if one is registered, its contract.
func (s *Checks) RegistryContract(ctx context.Context) (t tenant.Tenant, err error) {
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return t, err
	}
	err = pool.QueryRow(ctx, `SELECT r.id, coalesce(c.contract_id, '') FROM registry r LEFT JOIN tenant_contracts c ON c.tenant_id = r.id`).Scan(&t.ID, &t.ContractID)
	return t, pgdb.Classify(err, "read the registry's contract")
}

// VerifyAnchor compares a tenant's audit chain with an anchor of it. Verify checks the
// chain itself: the anchored event has its hash only if no event before it was changed.
func (s *Checks) VerifyAnchor(ctx context.Context, tenantID uuid.UUID, anchor contracts.Anchor) ([]verification.Finding, error) {
	const op = "verify anchor"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	v := &verifier{tenantID: tenantID}
	var hash []byte
	err = pool.QueryRow(ctx, `SELECT hash FROM audit_events WHERE tenant_id = $1 AND seq = $2`, tenantID, anchor.Seq).Scan(&hash)
	if err == nil && bytes.Equal(hash, anchor.Root[:]) {
		return nil, nil
	}
	var before bool // The anchor is from before a restore that was accepted.
	if acceptErr := pool.QueryRow(ctx, `SELECT $1::bigint BETWEEN 1 AND accepted_ledger FROM registry`, int64(anchor.Ledger)).Scan(&before); acceptErr != nil || before {
		return nil, pgdb.Classify(acceptErr, op)
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		v.addDrift(verification.SubjectAudit, "row %d is missing, although the contract anchored it in ledger %d", anchor.Seq, anchor.Ledger)
	case err != nil:
		return nil, pgdb.Classify(err, op)
	default:
		v.addDrift(verification.SubjectAudit, "row %d has another hash than the contract anchored in ledger %d: it, or a row before it, was changed", anchor.Seq, anchor.Ledger)
	}
	return v.drift, nil
}

// verifier is one check of one tenant.
type verifier struct {
	ctx      context.Context
	schemas  *tenantschema.Schemas
	expected expectation
	tx       pgx.Tx
	tenantID uuid.UUID
	purgedAt int64 // Number of the event of the last purge; events before it have no caller and detail. 0: none.
	drift    []verification.Finding
}

func (v *verifier) addDrift(subject verification.Subject, format string, args ...any) {
	v.drift = append(v.drift, verification.Finding{TenantID: v.tenantID, Subject: subject, Message: fmt.Sprintf(format, args...)})
}

func (v *verifier) checkRegistry() error {
	var head chainHead
	if err := v.tx.QueryRow(v.ctx, `SELECT seq, head FROM registry_audit`).Scan(&head.seq, &head.hash); err != nil {
		return err
	}
	if err := v.checkEvents(head); err != nil {
		return err
	}
	return v.checkOrphans()
}

func (v *verifier) checkTenant() error {
	var (
		head        chainHead
		rollingBack bool
	)
	err := v.tx.QueryRow(v.ctx, `SELECT audit_seq, audit_head, rollback_target IS NOT NULL FROM tenants WHERE id = $1`, v.tenantID).Scan(&head.seq, &head.hash, &rollingBack)
	if errors.Is(err, pgx.ErrNoRows) {
		return errs.Errorf(errs.KindNotFound, "verify tenant", "there is no tenant %s", v.tenantID)
	}
	if err != nil {
		return err
	}
	rows, err := v.tx.Query(v.ctx, `SELECT `+tenantrow.Columns+` FROM tenants WHERE id = $1`, v.tenantID)
	if err != nil {
		return err
	}
	t, err := pgx.CollectExactlyOneRow(rows, tenantrow.Scan)
	if err == nil {
		err = v.checkEvents(head)
	}
	if err == nil && !rollingBack && len(v.drift) == 0 { // A broken chain proves nothing about the status.
		err = v.checkStatus(t)
	}
	switch {
	case err != nil:
		return err
	case rollingBack || !t.Status.Terminal():
		return nil // Whether schema and role exist depends on the progress of the run.
	case t.WasLive() && t.PurgedAt.IsZero():
		return v.checkExisting(t)
	}
	return v.checkRemoved(t)
}

// checkExisting checks schema and role of a tenant that has them.
func (v *verifier) checkExisting(t tenant.Tenant) error {
	exists, err := v.exists(`SELECT FROM pg_namespace WHERE nspname = $1`, t.SchemaName)
	if err != nil {
		return err
	}
	switch {
	case !exists:
		v.addDrift(verification.SubjectSchema, "the schema %s does not exist", t.SchemaName)
	case !t.WithoutUsers: // Else it has no audit_logs.
		if err := v.checkTenantLog(t); err != nil {
			return err
		}
	}
	if err := v.checkSchemaVersion(); err != nil {
		return err
	}
	if exists {
		if err := v.checkStructure(t); err != nil {
			return err
		}
	}
	return v.checkRole(t)
}

// checkRemoved checks that nothing is left of a tenant that was purged or never live.
func (v *verifier) checkRemoved(t tenant.Tenant) error {
	for _, c := range []struct {
		subject verification.Subject
		query   string
		name    string
	}{
		{verification.SubjectSchema, `SELECT FROM pg_namespace WHERE nspname = $1`, t.SchemaName},
		{verification.SubjectRole, `SELECT FROM pg_roles WHERE rolname = $1`, t.DatabaseRole},
	} {
		exists, err := v.exists(c.query, c.name)
		if err != nil {
			return err
		}
		if exists {
			v.addDrift(c.subject, "the %s %s still exists, although the tenant was purged or never live", c.subject, c.name)
		}
	}
	if t.PurgedAt.IsZero() {
		return nil
	}
	certified, err := v.exists(`SELECT FROM purge_certificates WHERE tenant_id = $1`, t.ID)
	if err == nil && !certified {
		v.addDrift(verification.SubjectSchema, "the tenant was purged, but has no purge certificate")
	}
	return err
}

func (v *verifier) exists(query string, args ...any) (exists bool, err error) {
	err = v.tx.QueryRow(v.ctx, `SELECT EXISTS (`+query+`)`, args...).Scan(&exists)
	return exists, err
}

// checkSchemaVersion checks the ledger of the tenant's schema.
func (v *verifier) checkSchemaVersion() error {
	rows, err := v.tx.Query(v.ctx, `SELECT blueprint, version, checksum FROM tenant_migrations WHERE tenant_id = $1 ORDER BY blueprint, version`, v.tenantID)
	if err != nil {
		return err
	}
	var (
		name     string
		version  int
		checksum string
		last     = map[string]int{}
	)
	_, err = pgx.ForEachRow(rows, []any{&name, &version, &checksum}, func() error {
		if mismatch := tenantschema.CheckApplied(v.expected.template, name, version, checksum); mismatch != nil {
			v.addDrift(verification.SubjectSchema, "%s", errs.SafeMessage(mismatch))
		} else if version != last[name]+1 {
			v.addDrift(verification.SubjectSchema, "the record of version %d of the blueprint %s is missing", last[name]+1, name)
		}
		last[name] = version
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(last) == 0:
		v.addDrift(verification.SubjectSchema, "the ledger has no version of the tenant's schema")
	}
	for _, b := range v.expected.template.Blueprints {
		if len(last) > 0 && last[b.Name] < b.SchemaVersion() {
			v.addDrift(verification.SubjectSchema, "the tenant's schema is at version %d of the blueprint %s and the newest is %d; migrate it", last[b.Name], b.Name, b.SchemaVersion())
		}
	}
	return nil
}
