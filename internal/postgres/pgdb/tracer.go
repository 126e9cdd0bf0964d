package pgdb

import (
	"context"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// defaultStatementLimit is the default of Options.StatementLimit.
const defaultStatementLimit = 2 * time.Minute

type statementLimitKey struct{} // The value in a context: true for no limit.

type cancelKey struct{} // The value in a context: the function that frees the limit's timer.

// WithoutStatementLimit returns a context whose statements may take any time, for work
// that depends on the size of a tenant: migrations, and dropping a schema.
func WithoutStatementLimit(ctx context.Context) context.Context {
	return context.WithValue(ctx, statementLimitKey{}, true)
}

type startKey struct{} // The value in a context: a connectionStart.

// connectionStart is what the configuration of one connection has for its start.
type connectionStart struct {
	parameters map[string]string // Of the start-up message.
	database   string
}

// tracer limits each statement, and gives the session the parameters of a connection's
// configuration: pgx executes a statement, and connects, with the context that the tracer
// returns. It gives statements spans, see spans.go. It passes statements on to next, which may be nil.
type tracer struct {
	limit time.Duration // 0: no limit.
	next  pgx.QueryTracer
}

// startOf is the start of a connection that is made with ctx.
func startOf(ctx context.Context) connectionStart {
	start, _ := ctx.Value(startKey{}).(connectionStart)
	return start
}

// TraceConnectStart takes the settings out of the start-up message, because a pooler rejects
// those that it does not know; session sets them afterwards. The configuration belongs to
// this connection alone.
func (l tracer) TraceConnectStart(ctx context.Context, data pgx.TraceConnectStartData) context.Context {
	start := data.ConnConfig.RuntimeParams
	ctx = context.WithValue(ctx, startKey{}, connectionStart{maps.Clone(start), data.ConnConfig.Database})
	maps.DeleteFunc(start, func(name, _ string) bool {
		_, ours := commonSettings[name]
		return ours && name != "client_encoding"
	})
	return ctx
}

func (l tracer) TraceConnectEnd(context.Context, pgx.TraceConnectEndData) {}

func (l tracer) begin(ctx context.Context) context.Context {
	if unlimited, _ := ctx.Value(statementLimitKey{}).(bool); unlimited || l.limit <= 0 {
		return ctx
	}
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	return context.WithValue(ctx, cancelKey{}, cancel)
}

func end(ctx context.Context) {
	if cancel, ok := ctx.Value(cancelKey{}).(context.CancelFunc); ok {
		cancel()
	}
}

func (l tracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if l.next != nil {
		ctx = l.next.TraceQueryStart(ctx, conn, data)
	}
	return startStatementSpan(l.begin(ctx), queryName(data))
}

func (l tracer) TraceQueryEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryEndData) {
	end(ctx)
	endStatementSpan(ctx, data.Err)
	if l.next != nil {
		l.next.TraceQueryEnd(ctx, conn, data)
	}
}

func (l tracer) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	if next, ok := l.next.(pgx.BatchTracer); ok {
		ctx = next.TraceBatchStart(ctx, conn, data)
	}
	return startStatementSpan(l.begin(ctx), func() string { return "batch" }, tracing.Statements(data.Batch.Len()))
}

func (l tracer) TraceBatchQuery(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchQueryData) {
	if next, ok := l.next.(pgx.BatchTracer); ok {
		next.TraceBatchQuery(ctx, conn, data)
	}
}

func (l tracer) TraceBatchEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchEndData) {
	end(ctx)
	endStatementSpan(ctx, data.Err)
	if next, ok := l.next.(pgx.BatchTracer); ok {
		next.TraceBatchEnd(ctx, conn, data)
	}
}
