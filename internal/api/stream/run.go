package stream

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// A run inside a request: the response reports each step. When the client disconnects, the
// run releases the tenant, and any other run can continue it.

// ProblemEvent is the last event of a run that did not succeed.
type ProblemEvent struct { //nolint:errname // it is data, and an error only through what it embeds
	problem.Problem
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

// ProvisionFunc provisions a tenant.
type ProvisionFunc func(context.Context) (provisioning.Outcome, error)

// result is how a run ended.
type result struct {
	provisioning.Outcome
	err error
}

// Run writes the events of one run to its request.
type Run struct {
	Out       *Writer
	KeepAlive time.Duration                // Between two keep-alives.
	Problem   func(error) *problem.Problem // Makes, and audits, the problem of a run that failed.
	Logger    *slog.Logger
	Ended     func()       // Called when the run has ended: before the last event, or after a Revoked one.
	Revoked   func() error // Why the caller may not continue, once the context of Serve has ended; nil if it may.

	stop       context.CancelFunc // Stops the run when the client is gone.
	tenantSent bool               // The tenant event was sent.
}

// Serve provisions a tenant and forwards its events until it has ended. The response of a
// caller that may not continue ends at once; its run ends by itself, after it has released
// the tenant.
func (s *Run) Serve(ctx context.Context, provision ProvisionFunc) {
	ctx, s.stop = context.WithCancel(ctx)
	defer s.stop()
	buffer := make(eventBuffer, eventBufferSize)
	s.forward(ctx, buffer, s.start(context.WithValue(ctx, eventBufferKey{}, buffer), provision))
}

// start starts the run. A panic in the run is logged and becomes its error.
func (s *Run) start(ctx context.Context, provision ProvisionFunc) <-chan result {
	ended := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if panicValue := recover(); panicValue != nil {
				s.Logger.Error("run panicked", slog.Any("panic", panicValue), slog.String("stack", string(debug.Stack())))
				r.err = fmt.Errorf("panic: %v", panicValue)
			}
			s.Ended()
			ended <- r
		}()
		r.Outcome, r.err = provision(ctx)
	}()
	return ended
}

// forward sends the events of a run until it has ended. It also waits for a run whose client
// is gone, because the run still has to release its tenant.
func (s *Run) forward(ctx context.Context, buffer eventBuffer, result <-chan result) {
	keepAlive := time.NewTicker(s.KeepAlive)
	defer keepAlive.Stop()
	stopped := ctx.Done()
	for {
		var err error
		select {
		case e := <-buffer:
			err = s.sendStep(e)
		case <-keepAlive.C:
			err = s.Out.keepAlive()
		case <-stopped:
			if revoked := s.Revoked(); revoked != nil {
				_ = s.Out.send("problem", 0, ProblemEvent{Problem: *s.Problem(revoked), Kind: string(errs.KindPermanent)})
				return
			}
			stopped = nil
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

func (s *Run) sendStep(e provisioning.Event) error {
	if !s.tenantSent && e.Tenant.ID != uuid.Nil {
		s.tenantSent = true
		if err := s.Out.send("tenant", 0, dto.NewTenant(e.Tenant)); err != nil {
			return err
		}
	}
	return s.Out.send("step", 0, dto.NewStepEvent(e))
}

// sendResult sends the last event. A client that is gone repeats the request and adopts the
// tenant.
func (s *Run) sendResult(r result) {
	if r.err == nil {
		_ = s.Out.send("outcome", 0, dto.NewOutcomeEvent(r.Outcome))
		return
	}
	event := ProblemEvent{Problem: *s.Problem(r.err), Kind: string(errs.KindOf(r.err))}
	set := func(target **dto.Tenant, t *tenant.Tenant) {
		if t != nil && t.ID != uuid.Nil {
			v := dto.NewTenant(*t)
			*target = &v
		}
	}
	set(&event.Tenant, &r.Tenant)
	set(&event.ConflictingTenant, r.ConflictingTenant)
	_ = s.Out.send("problem", 0, event)
}
