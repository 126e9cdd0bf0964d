package checks

import (
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/platform"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// checkOrphans checks what no single tenant's check can see: tenants that were removed,
// privileges of PUBLIC, and keys whose scopes were changed.
func (v *verifier) checkOrphans() error {
	if err := v.checkRemovedTenants(); err != nil {
		return err
	}
	for _, c := range []struct {
		subject verification.Subject
		format  string
		query   string
	}{
		{verification.SubjectRole, "PUBLIC, and so every tenant, has privileges on %s; REVOKE ALL on it FROM PUBLIC", `
			SELECT DISTINCT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) AS a
			WHERE a.grantee = 0 AND (n.nspname = 'public' OR n.nspname IN (SELECT schema_name FROM tenants))`},
		{verification.SubjectRole, "PUBLIC may use the schema %s; REVOKE ALL on it FROM PUBLIC", `
			SELECT DISTINCT quote_ident(n.nspname) FROM pg_namespace n JOIN tenants t ON t.schema_name = n.nspname, aclexplode(n.nspacl) AS a
			WHERE a.grantee = 0`},
		{verification.SubjectRole, "%s; with no role set, it reads them all: make it NOINHERIT, and have it set the role of one", `
			SELECT 'the role ' || m.rolname || ' inherits the privileges of ' || count(DISTINCT t.id) || ' tenants'
			FROM tenants t JOIN pg_roles g ON g.rolname = ` + tenantrow.RoleName("t") + `
			JOIN pg_auth_members x ON x.roleid = g.oid JOIN pg_roles m ON m.oid = x.member
			-- From PostgreSQL 16 on, each membership says whether it is inherited.
			WHERE m.rolname <> current_user AND coalesce((to_jsonb(x)->>'inherit_option')::boolean, m.rolinherit)
			GROUP BY m.rolname HAVING count(DISTINCT t.id) > 1`},
		{verification.SubjectKey, "the API key %s has other scopes, tenants or another rate limit than it was created with", `
			SELECT k.prefix FROM api_keys k WHERE NOT EXISTS (SELECT FROM audit_events e
				WHERE e.tenant_id = '00000000-0000-0000-0000-000000000000' AND e.action = 'apikey.create'
				  AND e.detail->>'prefix' = k.prefix AND e.detail->'scopes' = to_jsonb(k.scopes) AND (e.detail->>'rateLimit')::integer IS NOT DISTINCT FROM k.rate_limit
				  AND coalesce(e.detail->'onlyMetadata', '{}') = k.only_metadata)`},
	} {
		rows, err := v.tx.Query(v.ctx, c.query+` ORDER BY 1`)
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, name := range names {
			v.addDrift(c.subject, c.format, name)
		}
	}
	if err := v.checkTimeline(); err != nil {
		return err
	}
	return v.checkIsolation()
}

// checkTimeline checks that an event records each accepted restore, and names one that is not accepted.
func (v *verifier) checkTimeline() error {
	var (
		timeline, accepted int
		evidence           *string
	)
	err := v.tx.QueryRow(v.ctx, `SELECT timeline, restore_evidence, (SELECT count(*) FROM audit_events
		WHERE tenant_id = '00000000-0000-0000-0000-000000000000' AND action = $1 AND outcome = 'DONE') FROM registry`, string(audit.ActionAcceptRestore)).Scan(&timeline, &evidence, &accepted)
	if err != nil {
		return err
	}
	if timeline != accepted+1 {
		v.addDrift(verification.SubjectAudit, "the registry's timeline is %d, and %d events record an accepted restore", timeline, accepted)
	}
	if evidence != nil {
		v.addDrift(verification.SubjectAudit, "the registry was restored from a backup, or events were deleted: %s; no run begins until platform accept-restore", *evidence)
	}
	return nil
}

// checkIsolation checks the connect role, and who may connect.
func (v *verifier) checkIsolation() error {
	findings, err := platform.Isolation(v.ctx, v.tx)
	for _, f := range findings {
		v.addDrift(verification.SubjectRole, "%s %s; run tenant-api platform repair", f.Object, f.Message)
	}
	return err
}

// statusBeforeArchive is the status that an event e, the unarchiving, gave back.
const statusBeforeArchive = `CASE (SELECT action FROM audit_events b WHERE b.tenant_id = e.tenant_id AND b.seq < e.seq AND b.outcome = 'DONE'
	AND b.action IN ('` + string(audit.ActionSuspend) + `', '` + string(audit.ActionResume) + `') ORDER BY b.seq DESC LIMIT 1)
	WHEN '` + string(audit.ActionSuspend) + `' THEN 'SUSPENDED' ELSE 'ACTIVE' END`

// expectedStatusSQL is the status that follows from each event that decides it.
const expectedStatusSQL = `SELECT CASE action WHEN '` + string(audit.ActionActivate) + `' THEN 'ACTIVE' WHEN '` + string(audit.ActionResume) + `' THEN 'ACTIVE'
		WHEN '` + string(audit.ActionSuspend) + `' THEN 'SUSPENDED' WHEN '` + string(audit.ActionUnarchive) + `' THEN ` + statusBeforeArchive + `
		WHEN '` + string(audit.ActionFail) + `' THEN 'FAILED' ELSE 'ARCHIVED' END
	FROM audit_events e WHERE tenant_id = $1 AND outcome = 'DONE' AND action IN ('` + string(audit.ActionActivate) + `', '` + string(audit.ActionUnarchive) + `', '` +
	string(audit.ActionSuspend) + `', '` + string(audit.ActionResume) + `', '` +
	string(audit.ActionFail) + `', '` + string(audit.ActionArchive) + `', '` + string(audit.ActionAbort) + `', '` + string(audit.ActionPurge) + `')
	ORDER BY seq DESC LIMIT 1`

// checkStatus checks that a tenant without a run has the status that follows from its last
// event.
func (v *verifier) checkStatus(t tenant.Tenant) error {
	if !t.Status.Terminal() {
		return nil
	}
	var expected tenant.Status
	err := v.tx.QueryRow(v.ctx, expectedStatusSQL, t.ID).Scan(&expected)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if err == nil && expected == t.Status {
		return nil
	}
	v.addDrift(verification.SubjectAudit, "the tenant is %s, but no event records that change", t.Status)
	return nil
}
