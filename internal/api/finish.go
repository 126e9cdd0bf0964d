package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
)

// writeProblem writes a problem as the response.
func (s *Server) writeProblem(c *requestContext, p *problem.Problem) {
	p = s.finalizeProblem(c, p)
	body, err := json.Marshal(p)
	if err != nil { // Cannot happen: it has only strings and a number.
		panic(err)
	}
	c.response.Header().Set("Content-Type", p.ContentType(""))
	c.response.WriteHeader(p.Status)
	_, _ = c.response.Write(body) // The client may be gone.
}

// finalizeProblem audits a problem, logs it if it is a failure of the server, and sets its headers. It
// returns a copy for this request, because several requests can share a problem value.
func (s *Server) finalizeProblem(c *requestContext, shared *problem.Problem) *problem.Problem {
	copied := *shared
	p := &copied
	c.ensureSpan()
	p.RequestID, p.TraceID = c.id, dto.Text(c.traceID)
	s.metrics.ObserveProblem(p.Status)
	maps.Copy(c.response.Header(), p.Header())
	if problem.IsServerError(p.Status) {
		level := slog.LevelError
		if errors.Is(p.Unwrap(), context.Canceled) {
			level = slog.LevelInfo // The client has gone.
		}
		s.opts.Logger.Log(context.Background(), level, "request failed", slog.String("request_id", c.id), slog.String("trace_id", c.traceID), slog.Int("status", p.Status),
			slog.String("detail", p.Detail), slog.Any("error", p.Unwrap()))
	}
	s.auditRejection(c, p)
	return p
}

// transformResponse finalizes the problems that huma is about to write.
func (s *Server) transformResponse(ctx huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*problem.Problem); ok {
		return s.finalizeProblem(requestContextFrom(ctx.Context()), p), nil
	}
	return v, nil
}

// finishRequest logs and measures a request. It turns a panic into a problem without details,
// or aborts the connection when the response has started.
func (s *Server) finishRequest(c *requestContext, r *http.Request) {
	panicValue := recover()
	responseStarted := c.response.Status() != 0
	if panicValue != nil {
		s.opts.Logger.Error("request panicked", slog.String("request_id", c.id), slog.String("trace_id", c.traceID), slog.Any("panic", panicValue), slog.String("stack", string(debug.Stack())))
		if !responseStarted {
			s.writeProblem(c, problem.New(http.StatusInternalServerError, "an internal error; the log has the cause"))
		}
	}
	route := ""
	if c.endpoint != nil {
		route = c.endpoint.path
	} else if c.console {
		_, route, _ = strings.Cut(c.consoleRoute, " ")
	}
	c.endSpan(route)
	duration := s.opts.Clock.Now().Sub(c.startedAt)
	s.measure(c, duration)
	s.opts.Logger.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", r.Method), slog.String("route", route),
		slog.Int("status", c.response.Status()), telemetry.Took(duration), slog.String("request_id", c.id), slog.String("trace_id", c.traceID),
		slog.String("caller", string(c.caller.Kind)), slog.String("caller_id", c.caller.ID), slog.String("address", c.caller.Address))
	if panicValue != nil && responseStarted {
		panic(http.ErrAbortHandler)
	}
}
