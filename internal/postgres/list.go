package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// List gives a page of tenants, newest first. Its cost does not depend on how
// deep the page is and, without a text to look for, on how many tenants there are.
func (db *DB) List(ctx context.Context, q provisioning.ListQuery) (provisioning.Page, error) {
	const op = "list tenants"
	pool, err := db.ready(ctx)
	if err != nil {
		return provisioning.Page{}, err
	}
	where, total, args := filters(q)
	batch := &pgx.Batch{}
	batch.Queue(total, args...)
	if q.After != nil {
		// By row comparison: an OR over both columns could not use the index.
		where = append(where, fmt.Sprintf(`(created_at, id) < ($%d::timestamptz, $%d::uuid)`, len(args)+1, len(args)+2))
		args = append(args, q.After.CreatedAt, q.After.ID)
	}
	batch.Queue(fmt.Sprintf(`SELECT `+tenantColumns+` FROM tenants WHERE %s ORDER BY created_at DESC, id DESC LIMIT $%d`,
		strings.Join(where, " AND "), len(args)+1), append(args, q.Limit+1)...)

	answers := pool.SendBatch(ctx, batch)
	defer func() { _ = answers.Close() }() // What it would report, the reads have.
	var page provisioning.Page
	if err := answers.QueryRow().Scan(&page.Total); err != nil {
		return provisioning.Page{}, failure(err, op)
	}
	rows, err := answers.Query()
	if err != nil {
		return provisioning.Page{}, failure(err, op)
	}
	page.Tenants, err = pgx.CollectRows(rows, scanTenant)
	if len(page.Tenants) > q.Limit {
		page.Tenants = page.Tenants[:q.Limit]
		last := page.Tenants[q.Limit-1]
		page.Next = &provisioning.Position{CreatedAt: last.CreatedAt, ID: last.ID}
	}
	return page, failure(err, op)
}

// filters are the conditions of a query, the statement that counts what they
// match, and the parameters of both. The status is part of the text, because a
// parameter would keep the planner from the partial indexes.
func filters(q provisioning.ListQuery) (where []string, total string, args []any) {
	where = []string{"true"}
	column := "pending + provisioning + active + failed + archived"
	if q.Status != "" {
		where = append(where, "status = '"+string(q.Status)+"'")
		column = strings.ToLower(string(q.Status))
	}
	if q.Text == "" {
		return where, `SELECT sum(` + column + `)::bigint FROM tenant_counts`, nil
	}
	where = append(where, `(name_key LIKE $1::text OR lower(admin_email) LIKE $2::text)`)
	args = []any{"%" + escapeLike(provisioning.NameKey(q.Text)) + "%", "%" + escapeLike(strings.ToLower(strings.TrimSpace(q.Text))) + "%"}
	return where, `SELECT count(*) FROM tenants WHERE ` + strings.Join(where, " AND "), args
}

// escapeLike takes the meaning from the characters that LIKE gives one.
func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}
