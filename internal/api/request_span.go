package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// The span of a request has no path, which can have names of tenants, and no address. It begins when the
// caller is known: only an authenticated one chooses the trace, and whether it is recorded.

// startSpan begins the span of a request that is accepted. Checks of health, of which there are many, have
// none.
func (c *requestContext) startSpan(ctx context.Context) context.Context {
	if c.endpoint != nil && slices.Contains(healthPaths, c.endpoint.path) {
		return ctx
	}
	start := tracing.StartLinked
	if c.authenticated {
		start = tracing.Continue
	}
	ctx, c.span = start(ctx, c.traceparent, tracing.Inbound, c.spanName(), tracing.Method(c.boundedMethod()))
	c.traceID = tracing.TraceID(ctx)
	return ctx
}

// ensureSpan begins the span of a request that is refused before it was accepted.
func (c *requestContext) ensureSpan() {
	if c.traceID == "" {
		c.startSpan(context.Background())
	}
}

// boundedMethod is the method, or what OpenTelemetry has in place of one that it does not know: a client can
// send kilobytes.
func (c *requestContext) boundedMethod() string {
	switch c.method {
	case http.MethodConnect, http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPatch, http.MethodPost, http.MethodPut, http.MethodTrace:
		return c.method
	}
	return "_OTHER"
}

// spanName is the method and the route, without a route the method alone.
func (c *requestContext) spanName() string {
	if c.endpoint == nil {
		return c.boundedMethod()
	}
	return c.boundedMethod() + " " + c.endpoint.path
}

// endSpan ends the span of a request.
func (c *requestContext) endSpan(route string) {
	status := c.response.Status()
	c.span.Set(tracing.Route(route), tracing.StatusCode(status), tracing.RequestID(c.id), tracing.CallerKind(string(c.caller.Kind)))
	if c.tenantID != uuid.Nil {
		c.span.Set(tracing.TenantID(c.tenantID.String()))
	}
	if problem.IsServerError(status) {
		c.span.Fail(http.StatusText(status))
		return
	}
	c.span.End(nil)
}
