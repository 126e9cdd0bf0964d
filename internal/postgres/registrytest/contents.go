//go:build unix

package registrytest

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Text is every row of the registry, with the queue's, as text.
func (r *Registry) Text() string {
	r.t.Helper()
	rows, _ := r.conn.Query(r.ctx(), `SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'`)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	r.must(err)
	var text strings.Builder
	for _, table := range tables {
		text.WriteString(value[string](r, `SELECT coalesce(string_agg(t::text, E'\n'), '') FROM public.`+table+` t`))
	}
	return text.String()
}

// Readable reports whether a login reads the registry.
func Readable(ctx context.Context, login *pgx.Conn) bool {
	_, err := login.Exec(ctx, `SELECT FROM public.tenants`)
	return err == nil
}
