package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// A run inside a request: the caller waits for it, is told of each step, and
// when he goes away the run gives the tenant back for anybody to continue.

type stepEvent struct {
	Step       string  `json:"step" enum:"CREATE_TENANT_RECORD,CREATE_SCHEMA,RUN_MIGRATIONS,SEED_ROLES_AND_USER,DEPLOY_SOROBAN_CONTRACT,STORE_CONTRACT_ADDRESS,SEND_WELCOME_EMAIL"`
	Status     string  `json:"status" enum:"PENDING,IN_PROGRESS,COMPLETED,FAILED,ROLLED_BACK"`
	Attempt    int     `json:"attempt" minimum:"1"`
	DurationMs float64 `json:"durationMs" minimum:"0" doc:"Of a step that has ended."`
	Message    string  `json:"message" doc:"Why it failed, or is tried again; for people."`
}

type outcomeEvent struct {
	Tenant    tenantView `json:"tenant"`
	Continued bool       `json:"continued" doc:"A tenant that had been begun earlier was taken further."`
	Adopted   bool       `json:"adopted" doc:"A live tenant with the same managedBy and inputs was taken over."`
	Warnings  []string   `json:"warnings" nullable:"false"`
}

type problemEvent struct { //nolint:errname // it is data, and an error only through what it embeds
	Problem
	Kind     string      `json:"kind" enum:"transient,permanent,conflict,cancelled,fenced,not found,invalid,stale,reused" doc:"What can be done about it."`
	Tenant   *tenantView `json:"tenant,omitempty" doc:"The tenant as the run left it, if there is one."`
	Standing *tenantView `json:"standing,omitempty" doc:"The tenant that stands in the way, if one does. It is not the caller's."`
}

// feed is where a run's events wait for the stream. Its room is more than a run
// can have in a moment; what does not fit is not sent, for a run waits for nobody.
type feed chan provisioning.Event

const feedRoom = 256

type feedKey struct{}

// Observe tells the caller who waits for a run what it does; it is to be (part
// of) the pipeline's observer. A run that is nobody's request is none of its concern.
func Observe(ctx context.Context, e provisioning.Event) {
	if f, ok := ctx.Value(feedKey{}).(feed); ok {
		select {
		case f <- e:
		default:
		}
	}
}

// outcome is how a run ended.
type outcome struct {
	provisioning.Outcome
	err error
}

// run answers with the stream of a run.
func (s *Server) run(work func(context.Context) (provisioning.Outcome, error)) (*huma.StreamResponse, error) {
	select {
	case s.runs <- struct{}{}:
	default:
		return nil, newProblem(http.StatusServiceUnavailable, "this server is provisioning as many tenants inside requests as it may; try again, or leave the work to the queue")
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer func() { <-s.runs }()
		defer s.metrics.stream("run")()
		c := callOf(hctx.Context())
		ctx, cancel := context.WithCancel(hctx.Context())
		defer cancel()
		defer context.AfterFunc(s.draining, cancel)()
		events := make(feed, feedRoom)
		ended := s.begun(context.WithValue(ctx, feedKey{}, events), work)
		w := watched{server: s, call: c, out: openStream(hctx), gone: cancel}
		w.watch(events, ended)
	}}, nil
}

// runOf answers with the stream of a run of a tenant. One that does not exist is
// refused before there is a stream.
func (s *Server) runOf(ctx context.Context, id uuid.UUID, work func(context.Context, uuid.UUID) (provisioning.Outcome, error)) (*huma.StreamResponse, error) {
	if _, err := s.opts.Service.Get(ctx, id); err != nil {
		return nil, err
	}
	return s.run(func(ctx context.Context) (provisioning.Outcome, error) { return work(ctx, id) })
}

// begun starts the work. A panic in it is its own, and ends it like an error.
func (s *Server) begun(ctx context.Context, work func(context.Context) (provisioning.Outcome, error)) <-chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if cause := recover(); cause != nil {
				s.opts.Logger.Error("run panicked", slog.Any("panic", cause), slog.String("stack", string(debug.Stack())))
				o.err = fmt.Errorf("panic: %v", cause)
			}
			ended <- o
		}()
		o.Outcome, o.err = work(ctx)
	}()
	return ended
}

// watched is a run that somebody waits for.
type watched struct {
	server *Server
	call   *call
	out    *stream
	gone   context.CancelFunc // Stops the run; nobody reads any more.
	named  bool               // The caller knows which tenant it is.
}

// watch passes on what the run says until it has ended. It stays with a run whose
// caller has gone: the run still has to give its tenant back.
func (w *watched) watch(events feed, ended <-chan outcome) {
	sign := time.NewTicker(w.server.pace.sign)
	defer sign.Stop()
	for {
		var err error
		select {
		case e := <-events:
			err = w.step(e)
		case <-sign.C:
			err = w.out.alive()
		case o := <-ended:
			for len(events) > 0 && err == nil {
				err = w.step(<-events)
			}
			w.end(o)
			return
		}
		if err != nil {
			w.gone()
		}
	}
}

func (w *watched) step(e provisioning.Event) error {
	if !w.named && e.Tenant.ID != uuid.Nil {
		w.named = true
		if err := w.out.event("tenant", 0, viewOf(e.Tenant)); err != nil {
			return err
		}
	}
	return w.out.event("step", 0, stepEvent{
		Step: string(e.Step), Status: string(e.Status), Attempt: e.Attempt, Message: e.Message,
		DurationMs: float64(e.Duration.Microseconds()) / 1000,
	})
}

// end sends the last event. A refusal is one also when it comes in a stream.
func (w *watched) end(o outcome) {
	if o.err == nil {
		_ = w.out.event("outcome", 0, outcomeEvent{
			Tenant: viewOf(o.Tenant), Continued: o.Continued, Adopted: o.Adopted, Warnings: warnings(o.Outcome),
		}) // A caller who is gone asks again and finds the tenant live.
		return
	}
	p := w.server.settle(w.call, problemOf(o.err))
	last := problemEvent{Problem: *p, Kind: string(provisioning.KindOf(o.err))}
	if o.Tenant.ID != uuid.Nil {
		v := viewOf(o.Tenant)
		last.Tenant = &v
	}
	if o.Standing != nil {
		v := viewOf(*o.Standing)
		last.Standing = &v
	}
	_ = w.out.event("problem", 0, last)
}
