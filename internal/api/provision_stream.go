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

// A run inside a request: the caller waits for it, is told of each step, and
// when he goes away the run gives the tenant back for anybody to continue.

type problemEvent struct { //nolint:errname // it is data, and an error only through what it embeds
	Problem
	Kind              string      `json:"kind" enum:"transient,permanent,conflict,cancelled,fenced,not found,invalid,stale,reused" doc:"What can be done about it."`
	Tenant            *dto.Tenant `json:"tenant,omitempty" doc:"The tenant as the run left it, if there is one."`
	ConflictingTenant *dto.Tenant `json:"conflictingTenant,omitempty" doc:"The tenant that stands in the way, if one does. It is not the caller's."`
}

// eventBuffer is where a run's events wait for the stream. Its room is more than a run
// can have in a moment; what does not fit is not sent, for a run waits for nobody.
type eventBuffer chan provisioning.Event

const eventBufferSize = 256

type eventBufferKey struct{}

// Observe tells the caller who waits for a run what it does; it is to be (part
// of) the pipeline's observer. A run that is nobody's request is none of its concern.
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
		return nil, newProblem(http.StatusServiceUnavailable, "this server is provisioning as many tenants inside requests as it may; try again, or leave the work to the queue")
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

// startProvision starts the work. A panic in it is its own, and ends it like an error.
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

// provisionStream is a run that somebody waits for.
type provisionStream struct {
	server     *Server
	call       *requestContext
	out        *sseWriter
	stop       context.CancelFunc // Stops the run; nobody reads any more.
	tenantSent bool               // The caller knows which tenant it is.
}

// run passes on what the run says until it has ended. It stays with a run whose
// caller has gone: the run still has to give its tenant back.
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

// sendResult sends the last event. A refusal is one also when it comes in a stream.
func (s *provisionStream) sendResult(r provisionResult) {
	if r.err == nil {
		_ = s.out.send("outcome", 0, dto.NewOutcomeEvent(r.Outcome)) // A caller who is gone asks again and finds the tenant live.
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
