package checks

import (
	"context"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/fingerprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// expectation is what the schema of a tenant has to be.
type expectation struct {
	template  *blueprintsql.Template
	structure fingerprint.Fingerprint // Nil: not known, because the schema is behind standard.
}

// expected reads what the schema of a tenant has to be. The structure is made where it is not
// known yet, so this is not part of the snapshot.
func (s *Checks) expected(ctx context.Context, id uuid.UUID) (e expectation, err error) {
	t, err := tenantrow.Get(ctx, s.db, id)
	if errs.KindOf(err) == errs.KindNotFound {
		return e, nil // The check says so.
	}
	if err != nil {
		return e, err
	}
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return e, err
	}
	if e.template, err = s.schemas.Template(ctx, pool, t); err != nil || !t.WasLive() || !t.PurgedAt.IsZero() {
		return e, err
	}
	var own, standard int
	if err := pool.QueryRow(ctx, `SELECT coalesce(max(version) FILTER (WHERE blueprint = $2), 0), coalesce(max(version) FILTER (WHERE blueprint = $3), 0)
		FROM tenant_migrations WHERE tenant_id = $1`, id, t.Blueprint, blueprint.StandardName).Scan(&own, &standard); err != nil {
		return e, pgdb.Classify(err, "verify tenant")
	}
	if own == 0 || own > e.template.Version() || e.template.HasUsers() && standard != blueprintsql.Standard.Version() {
		return e, nil
	}
	e.structure, err = s.blueprints.Fingerprint(ctx, e.template.Own(), own)
	return e, err
}

// checkStructure compares the tenant's schema with what its migrations make.
func (v *verifier) checkStructure(t tenant.Tenant) error {
	if v.expected.structure == nil {
		return nil
	}
	actual, err := fingerprint.Read(v.ctx, v.tx, t.SchemaName)
	if err != nil {
		return err
	}
	d := v.expected.structure.Compare(actual, v.expected.template.Own().Ignore).In(t.SchemaName)
	for _, r := range d.Renamed {
		v.addDrift(verification.SubjectSchema, "the schema %s has the %s in place of the %s: it had another name when the function was made; have a DBA run: %s", t.SchemaName, r.Found, r.Wanted, r.Statement(t.SchemaName))
	}
	for _, object := range d.Missing {
		v.addDrift(verification.SubjectSchema, "the schema %s lacks the %s", t.SchemaName, object)
	}
	for _, object := range d.Changed {
		v.addDrift(verification.SubjectSchema, "the %s in the schema %s is not as its migrations make it", object, t.SchemaName)
	}
	for _, object := range d.Unmanaged {
		v.addDrift(verification.SubjectSchema, "the %s in the schema %s is not the blueprint's", object, t.SchemaName)
		v.drift[len(v.drift)-1].Unmanaged = true
	}
	return nil
}
