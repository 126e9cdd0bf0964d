package pgdb

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// The spans of statements are those of traces that exist already: workers poll, and would fill a
// collector. They have neither texts of statements nor messages of the server, because both can have
// passwords and data of people.

// minAcquireSpan is the shortest wait for a connection that gets a span.
const minAcquireSpan = time.Millisecond

type (
	statementSpanKey struct{} // The value in a context: the tracing.Span of a statement.
	acquireKey       struct{} // The value in a context: when the wait for a connection began.
)

func startStatementSpan(ctx context.Context, name func() string, attributes ...tracing.Attribute) context.Context {
	if !tracing.Recording(ctx) {
		return ctx
	}
	ctx, span := tracing.Start(ctx, tracing.Outbound, name(), append(attributes, databaseSystem)...)
	return context.WithValue(ctx, statementSpanKey{}, span)
}

var databaseSystem = tracing.DBSystem("postgresql")

func endStatementSpan(ctx context.Context, err error) {
	if span, ok := ctx.Value(statementSpanKey{}).(tracing.Span); ok {
		endSpan(span, err)
	}
}

func endSpan(span tracing.Span, err error) {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		span.Set(tracing.SQLState(refused.Code))
		span.Fail("SQLSTATE " + refused.Code)
		return
	}
	span.End(Classify(err, ""))
}

// StartBatchSpan begins the span of a batch that is sent below pgx, whose tracer does not see it. Call
// end with its error.
func StartBatchSpan(ctx context.Context, name string, statements int) (_ context.Context, end func(error)) {
	ctx, span := tracing.StartChild(ctx, tracing.Outbound, name, databaseSystem, tracing.Statements(statements))
	return ctx, func(err error) { endSpan(span, err) }
}

// TraceAcquireStart notes when the wait for a connection begins.
func (l tracer) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	if !tracing.Recording(ctx) {
		return ctx
	}
	return context.WithValue(ctx, acquireKey{}, time.Now())
}

// TraceAcquireEnd adds a span of a wait that took long enough to matter.
func (l tracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireEndData) {
	if began, ok := ctx.Value(acquireKey{}).(time.Time); ok {
		if took := time.Since(began); took >= minAcquireSpan {
			tracing.Record(ctx, "acquire connection", began, took, databaseSystem)
		}
	}
}

var (
	statementTarget = regexp.MustCompile(`(?i)\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM|FROM)\s+(?:[a-z_][a-z0-9_]*\.)?([a-z_][a-z0-9_]*)\b`)
	leadingComments = regexp.MustCompile(`^(?:\s*--[^\n]*\n)+`) // Of generated statements.
	statementVerb   = regexp.MustCompile(`^\s*([A-Za-z]+)(?:\s+(DATABASE|FUNCTION|INDEX|ROLE|SCHEMA|TABLE|TYPE|VIEW)\b)?`)
)

// maxNamedStatement is how much of a statement its name is made from.
const maxNamedStatement = 4 << 10

// statementName is a short name of a statement: the operation and its first table, as in "UPDATE tenants".
// It has no names of tenants and no values.
func statementName(sql string) string {
	sql = leadingComments.ReplaceAllString(sql[:min(len(sql), maxNamedStatement)], "")
	verb := statementVerb.FindStringSubmatch(sql)
	if verb == nil {
		return "statement"
	}
	switch name := strings.ToUpper(verb[1]); name {
	case "SELECT", "WITH", "INSERT", "UPDATE", "DELETE":
		if target := statementTarget.FindStringSubmatch(sql); target != nil {
			operation, _, _ := strings.Cut(strings.ToUpper(target[1]), " ")
			if operation == "FROM" {
				operation = "SELECT"
			}
			return strings.Fields(operation)[0] + " " + target[2]
		}
		return name
	default:
		return strings.TrimSpace(name + " " + strings.ToUpper(verb[2]))
	}
}

func queryName(data pgx.TraceQueryStartData) func() string {
	return func() string { return statementName(data.SQL) }
}
