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

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// A run inside a request: the response reports each step. When the client disconnects, the
// run releases the tenant, and any other run can continue it.

type problemEvent struct { //nolint:errname // it is data, and an error only through what it embeds
	Problem
	Kind              string      `json:"kind" enum:"transient,permanent,conflict,cancelled,fenced,not found,invalid,stale,reused" doc:"The kind of error; it decides what the client can do."`
	Tenant            *dto.Tenant `json:"tenant,omitempty" doc:"The tenant after the run, if there is one."`
	ConflictingTenant *dto.Tenant `json:"conflictingTenant,omitempty" doc:"The tenant that the request conflicts with, if there is one. It does not belong to the caller."`
}

// eventBuffer queues the events of a run for the stream. Its capacity exceeds what a run
// produces in a burst. Events that do not fit are dropped, so that a run never blocks.
type eventBuffer chan provisioning.Event

const eventBufferSize = 256

type eventBufferKey struct{}

// Observe sends the events of a run to the response stream of its request. It is, or is
// called by, the observer of the pipeline. It ignores runs outside a request.
func Observe(ctx context.Context, e provisioning.Event) {
	if f, ok := ctx.Value(eventBufferKey{}).(eventBuffer); ok {
		select {
		case f <- e:
		default:
		}
	}
}

// provisionResult is how a run ended.
type provisionResult struct {
	provisioning.Outcome
	err error
}

type provisionTenantInput struct{ Body createBody }

// provisionTenant creates a tenant and provisions it inside the request.
func (s *Server) provisionTenant(_ context.Context, in *provisionTenantInput) (*huma.StreamResponse, error) {
	inputs, err := in.Body.inputs()
	if err != nil {
		return nil, err
	}
	return s.streamProvision(func(ctx context.Context) (provisioning.Outcome, error) { return s.opts.Service.Provision(ctx, inputs) })
}

// provisionExistingTenant continues the provisioning of a tenant inside the request.
// An unknown tenant is a 404, not an event of the stream.
func (s *Server) provisionExistingTenant(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
	id, err := in.tenantID()
	if err != nil {
		return nil, err
	}
	if _, err := s.opts.Service.Get(ctx, id); err != nil {
		return nil, err
	}
	return s.streamProvision(func(ctx context.Context) (provisioning.Outcome, error) { return s.opts.Service.Retry(ctx, id) })
}

// streamProvision returns the event stream of a run. 503 when the server already runs as
// many of them as it may.
func (s *Server) streamProvision(provision func(context.Context) (provisioning.Outcome, error)) (*huma.StreamResponse, error) {
	select {
	case s.provisionSlots <- struct{}{}:
	default:
		return nil, newProblem(http.StatusServiceUnavailable, "this server already provisions its maximum number of tenants inside requests; retry, or queue the tenant with POST /admin/tenants")
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer func() { <-s.provisionSlots }()
		defer s.metrics.trackStream("run")()
		c := requestContextFrom(hctx.Context())
		ctx, cancel := context.WithCancel(hctx.Context())
		defer cancel()
		defer context.AfterFunc(s.drainCtx, cancel)()
		buffer := make(eventBuffer, eventBufferSize)
		result := s.startProvision(context.WithValue(ctx, eventBufferKey{}, buffer), provision)
		ps := provisionStream{server: s, call: c, out: newSSEWriter(hctx), stop: cancel}
		ps.run(buffer, result)
	}}, nil
}

// startProvision starts the run. A panic in the run is logged and becomes its error.
func (s *Server) startProvision(ctx context.Context, provision func(context.Context) (provisioning.Outcome, error)) <-chan provisionResult {
	result := make(chan provisionResult, 1)
	go func() {
		var r provisionResult
		defer func() {
			if panicValue := recover(); panicValue != nil {
				s.opts.Logger.Error("run panicked", slog.Any("panic", panicValue), slog.String("stack", string(debug.Stack())))
				r.err = fmt.Errorf("panic: %v", panicValue)
			}
			result <- r
		}()
		r.Outcome, r.err = provision(ctx)
	}()
	return result
}

// provisionStream writes the events of one run to its request.
type provisionStream struct {
	server     *Server
	call       *requestContext
	out        *sseWriter
	stop       context.CancelFunc // Stops the run when the client is gone.
	tenantSent bool               // The tenant event was sent.
}

// run forwards the events of a run until it has ended. It also waits for a run whose client
// is gone, because the run still has to release its tenant.
func (s *provisionStream) run(buffer eventBuffer, result <-chan provisionResult) {
	keepAlive := time.NewTicker(s.server.timeouts.provisionKeepAlive)
	defer keepAlive.Stop()
	for {
		var err error
		select {
		case e := <-buffer:
			err = s.sendStep(e)
		case <-keepAlive.C:
			err = s.out.keepAlive()
		case r := <-result:
			for len(buffer) > 0 && err == nil {
				err = s.sendStep(<-buffer)
			}
			s.sendResult(r)
			return
		}
		if err != nil {
			s.stop()
		}
	}
}

func (s *provisionStream) sendStep(e provisioning.Event) error {
	if !s.tenantSent && e.Tenant.ID != uuid.Nil {
		s.tenantSent = true
		if err := s.out.send("tenant", 0, dto.NewTenant(e.Tenant)); err != nil {
			return err
		}
	}
	return s.out.send("step", 0, dto.NewStepEvent(e))
}

// sendResult sends the last event. A problem in a stream is audited like any other rejection.
func (s *provisionStream) sendResult(r provisionResult) {
	if r.err == nil {
		_ = s.out.send("outcome", 0, dto.NewOutcomeEvent(r.Outcome)) // A client that is gone repeats the request and adopts the tenant.
		return
	}
	p := s.server.finalizeProblem(s.call, problemFrom(r.err))
	event := problemEvent{Problem: *p, Kind: string(errs.KindOf(r.err))}
	if r.Tenant.ID != uuid.Nil {
		v := dto.NewTenant(r.Tenant)
		event.Tenant = &v
	}
	if r.ConflictingTenant != nil {
		v := dto.NewTenant(*r.ConflictingTenant)
		event.ConflictingTenant = &v
	}
	_ = s.out.send("problem", 0, event)
}
