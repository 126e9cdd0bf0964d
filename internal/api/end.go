package api

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"

	"github.com/danielgtaylor/huma/v2"
)

// refuse answers with a problem.
func (s *Server) refuse(c *call, p *Problem) {
	p = s.settle(c, p)
	body, err := json.Marshal(p)
	if err != nil { // A problem has strings and a number.
		panic(err)
	}
	c.out.Header().Set("Content-Type", p.ContentType(""))
	c.out.WriteHeader(p.Status)
	_, _ = c.out.Write(body) // A caller who is gone misses nothing.
}

// settle does what has to be done before a problem is sent, whichever way: it is
// recorded, logged if it is the server's own fault, and gets its headers. What it
// returns is this request's own: many can meet the same problem at once.
func (s *Server) settle(c *call, shared *Problem) *Problem {
	own := *shared
	p := &own
	p.RequestID = c.id
	maps.Copy(c.out.Header(), p.header)
	if p.Status >= http.StatusInternalServerError {
		s.opts.Logger.Error("request failed", slog.String("requestId", c.id), slog.Int("status", p.Status),
			slog.String("detail", p.Detail), slog.Any("error", p.cause))
	}
	s.audit(c, p)
	return p
}

// transform is where huma shows what it is about to send.
func (s *Server) transform(ctx huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*Problem); ok {
		return s.settle(callOf(ctx.Context()), p), nil
	}
	return v, nil
}

// end is the last thing that happens to a request. A panic becomes a problem that
// says nothing of it, or a broken connection when the answer has begun.
func (s *Server) end(c *call, r *http.Request) {
	cause := recover()
	began := c.out.status != 0
	if cause != nil {
		s.opts.Logger.Error("request panicked", slog.String("requestId", c.id), slog.Any("panic", cause), slog.String("stack", string(debug.Stack())))
		if !began {
			s.refuse(c, newProblem(http.StatusInternalServerError, "an internal error; the log has the cause"))
		}
	}
	route := ""
	if c.endpoint != nil {
		route = c.endpoint.path
	}
	took := s.opts.Clock.Now().Sub(c.begun)
	s.metrics.observe(c, took)
	s.opts.Logger.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", r.Method), slog.String("route", route),
		slog.Int("status", c.out.status), slog.Duration("took", took), slog.String("requestId", c.id),
		slog.String("caller", string(c.caller.Kind)), slog.String("callerId", c.caller.ID), slog.String("address", c.caller.Address))
	if cause != nil && began {
		panic(http.ErrAbortHandler)
	}
}
