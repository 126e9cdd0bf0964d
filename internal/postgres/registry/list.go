package registry

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// List returns a page of tenants, newest first. Its cost does not depend on the page's
// depth. With another filter than a status it grows with the number of tenants that match or are
// read; with Behind, all that pass the other filters are read, twice for a page and its total.
func (s *Registry) List(ctx context.Context, q tenant.ListQuery) (tenant.Page, error) {
	if q.Status != "" && !q.Status.Known() {
		return tenant.Page{}, errs.Errorf(errs.KindInvalid, "list tenants", "the status does not exist")
	}
	if q.Invitation != "" && !q.Invitation.Known() {
		return tenant.Page{}, errs.Errorf(errs.KindInvalid, "list tenants", "the status of an invitation does not exist")
	}
	const op = "list tenants"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return tenant.Page{}, err
	}
	where, total, args := listFilters(q)
	batch := &pgx.Batch{}
	byMetadata := len(q.Metadata) > 0 || len(q.Visible) > 0
	if byMetadata {
		batch.Queue(planForValues)
	}
	batch.Queue(total, args...)
	if q.After != nil {
		// Row comparison, because an OR over both columns could not use the index.
		where = append(where, fmt.Sprintf(`(created_at, id) < ($%d::timestamptz, $%d::uuid)`, len(args)+1, len(args)+2))
		args = append(args, q.After.CreatedAt, q.After.ID)
	}
	batch.Queue(fmt.Sprintf(`SELECT `+tenantrow.Columns+` FROM tenants WHERE %s ORDER BY created_at DESC, id DESC LIMIT $%d`,
		strings.Join(where, " AND "), len(args)+1), append(args, q.Limit+1)...)

	results := pool.SendBatch(ctx, batch)
	defer func() { _ = results.Close() }() // The reads have reported its errors.
	if byMetadata {
		if _, err := results.Exec(); err != nil {
			return tenant.Page{}, pgdb.Classify(err, op)
		}
	}
	var page tenant.Page
	if err := results.QueryRow().Scan(&page.Total); err != nil {
		return tenant.Page{}, pgdb.Classify(err, op)
	}
	rows, err := results.Query()
	if err != nil {
		return tenant.Page{}, pgdb.Classify(err, op)
	}
	page.Tenants, err = pgx.CollectRows(rows, tenantrow.Scan)
	if len(page.Tenants) > q.Limit {
		page.Tenants = page.Tenants[:q.Limit]
		last := page.Tenants[q.Limit-1]
		page.Next = &tenant.Position{CreatedAt: last.CreatedAt, ID: last.ID}
	}
	return page, pgdb.Classify(err, op)
}

// planForValues has the rest of the batch, which is one transaction, planned for its values. Sessions
// have plans for any value, which read all tenants for metadata that few have.
const planForValues = `SELECT set_config('plan_cache_mode', 'force_custom_plan', true)`

// The totals of all tenants and of those of the status in parameter 1.
const (
	countAll    = `SELECT sum(pending + provisioning + active + suspended + failed + archived)::bigint FROM tenant_counts`
	countStatus = `SELECT sum(CASE $1::text WHEN 'PENDING' THEN pending WHEN 'PROVISIONING' THEN provisioning
		WHEN 'ACTIVE' THEN active WHEN 'SUSPENDED' THEN suspended WHEN 'FAILED' THEN failed WHEN 'ARCHIVED' THEN archived END)::bigint FROM tenant_counts`
)

// partialIndexes are conditions that name the statuses of a partial index: the planner
// cannot infer from the status alone, which is a parameter, that the index has all of
// its rows. ACTIVE tenants are nearly all, and need none.
var partialIndexes = map[tenant.Status]string{
	tenant.StatusSuspended:    `status IN ('PENDING', 'SUSPENDED', 'FAILED', 'ARCHIVED')`,
	tenant.StatusPending:      `status IN ('PENDING', 'SUSPENDED', 'FAILED', 'ARCHIVED')`,
	tenant.StatusFailed:       `status IN ('PENDING', 'SUSPENDED', 'FAILED', 'ARCHIVED')`,
	tenant.StatusArchived:     `status IN ('PENDING', 'SUSPENDED', 'FAILED', 'ARCHIVED')`,
	tenant.StatusProvisioning: `status IN ('PENDING', 'PROVISIONING')`,
}

// invitationConditions are the conditions of tenantrow.InvitationStatus, in forms for which the
// planner can use the index of open invitations.
var invitationConditions = map[invitation.Status]string{
	invitation.StatusPending:  tenantrow.OpenInvitation + ` AND invitation_expires_at > now()`,
	invitation.StatusExpired:  tenantrow.OpenInvitation + ` AND invitation_expires_at <= now()`,
	invitation.StatusAccepted: `invitation_accepted_at IS NOT NULL`,
	invitation.StatusRevoked:  `invitation_accepted_at IS NULL AND invitation_revoked_at IS NOT NULL`,
	invitation.StatusNone:     `invitation_accepted_at IS NULL AND invitation_revoked_at IS NULL AND invitation_expires_at IS NULL`,
}

// statusConditions select the tenants of the status in parameter 1.
func statusConditions(s tenant.Status) []string {
	if index, ok := partialIndexes[s]; ok {
		return []string{`status = $1::text`, index}
	}
	return []string{`status = $1::text`}
}

// listFilters returns the conditions of a query, the statement that counts the
// matching tenants, and the parameters of both.
func listFilters(q tenant.ListQuery) (where []string, countSQL string, args []any) {
	where, countSQL = []string{"true"}, countAll
	if q.Status != "" {
		where, countSQL, args = statusConditions(q.Status), countStatus, []any{string(q.Status)}
	}
	storedTotal := len(where) // With more conditions, the total has to be counted.
	if q.Blueprint != "" {
		args = append(args, q.Blueprint)
		where = append(where, fmt.Sprintf(`blueprint = $%d::text`, len(args)))
		if q.Blueprint != tenant.StandardBlueprint {
			where = append(where, `blueprint <> '`+tenant.StandardBlueprint+`'`) // As in partialIndexes.
		}
	}
	if q.Invitation != "" {
		where = append(where, invitationConditions[q.Invitation])
	}
	if q.Text != "" {
		where = append(where, fmt.Sprintf(`(name_key LIKE $%d::text OR lower(admin_email) LIKE $%d::text)`, len(args)+1, len(args)+2))
		args = append(args, "%"+escapeLike(tenant.NameKey(q.Text))+"%", "%"+escapeLike(strings.ToLower(strings.TrimSpace(q.Text)))+"%")
	}
	filter := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	for _, pairs := range []tenant.MetadataFilter{q.Metadata, q.Visible} {
		if len(pairs) > 0 {
			filter(`metadata <> '{}' AND metadata @> $%d::jsonb`, pairs) // The first as in partialIndexes.
		}
	}
	if q.ManagedBy != "" {
		filter(`managed_by = $%d::text`, q.ManagedBy)
	}
	if !q.CreatedAfter.IsZero() {
		filter(`created_at > $%d::timestamptz`, q.CreatedAfter)
	}
	if !q.CreatedBefore.IsZero() {
		filter(`created_at < $%d::timestamptz`, q.CreatedBefore)
	}
	if q.Held != nil && *q.Held {
		where = append(where, `hold_since IS NOT NULL`) // As in the index tenants_held.
	} else if q.Held != nil {
		where = append(where, `hold_since IS NULL`)
	}
	if q.Suspended != nil && *q.Suspended {
		where = append(where, `suspended_at IS NOT NULL AND purged_at IS NULL`) // As in the index tenants_suspended.
	} else if q.Suspended != nil {
		where = append(where, `(suspended_at IS NOT NULL AND purged_at IS NULL) IS FALSE`)
	}
	if q.Behind != nil {
		is := map[bool]string{true: ` IS TRUE`, false: ` IS NOT TRUE`}
		filter(tenantrow.Behind+is[*q.Behind], tenantschema.Version)
	}
	if q.ID != uuid.Nil {
		filter(`id = $%d::uuid`, q.ID)
	}
	if len(where) > storedTotal {
		countSQL = `SELECT count(*) FROM tenants WHERE ` + strings.Join(where, " AND ")
	}
	return where, countSQL, args
}

// escapeLike escapes the wildcards of LIKE.
func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}
