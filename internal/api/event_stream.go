package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/events"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

type eventStreamInput struct {
	ByID
	LastEventID int64 `header:"Last-Event-ID" minimum:"0" doc:"The id of the last event that arrived: only what happened since is sent."`
}

type statusEvent struct {
	TenantID          uuid.UUID `json:"tenantId" format:"uuid"`
	Status            string    `json:"status" enum:"PENDING,PROVISIONING,ACTIVE,SUSPENDED,FAILED,ARCHIVED"`
	ProvisioningError *string   `json:"provisioningError"`
}

func statusEventOf(t tenant.Tenant) statusEvent {
	return statusEvent{TenantID: t.ID, Status: string(t.Status), ProvisioningError: dto.Text(t.ProvisioningError)}
}

func (s *Server) streamEvents(ctx context.Context, in *eventStreamInput) (*huma.StreamResponse, error) {
	id, err := in.tenantID()
	if err != nil {
		return nil, err
	}
	// Before the first look, so that nothing between the two goes unnoticed.
	notify, stop := s.opts.Notifier.Watch(id)
	initial, err := s.readChanges(ctx, id, in.LastEventID)
	if err != nil {
		stop()
		return nil, err
	}
	if initial.Tenant.Status.Terminal() && in.LastEventID > 0 && len(initial.Entries) == 0 {
		stop()
		return &huma.StreamResponse{Body: func(ctx huma.Context) { ctx.SetStatus(http.StatusNoContent) }}, nil
	}
	select {
	case s.eventStreamSlots <- struct{}{}:
	default:
		stop()
		return nil, newProblem(http.StatusServiceUnavailable, "too many follow events at the moment; try again, or ask for the provisioning status now and then")
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer func() { stop(); <-s.eventStreamSlots }()
		defer s.metrics.trackStream("events")()
		es := eventStream{server: s, id: id, lastChange: in.LastEventID, token: ctx.Header("Authorization"), out: newSSEWriter(ctx)}
		if ctx.Method() == http.MethodHead {
			return
		}
		es.run(ctx.Context(), initial, notify)
	}}, nil
}

// readChanges looks once, and not for ever.
func (s *Server) readChanges(ctx context.Context, id uuid.UUID, after int64) (events.Changes, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeouts.work)
	defer cancel()
	return s.opts.Service.Changes(ctx, id, after)
}

// eventStream tells one caller what happens to one tenant.
type eventStream struct {
	server     *Server
	id         uuid.UUID
	lastChange int64  // The last change that was sent.
	token      string // What the caller was admitted with.
	lastStatus tenant.Status
	out        *sseWriter
}

func (s *eventStream) run(ctx context.Context, current events.Changes, notify <-chan struct{}) {
	poll, keepAlive := time.NewTicker(s.server.timeouts.pollInterval), time.NewTicker(s.server.timeouts.eventKeepAlive)
	defer poll.Stop()
	defer keepAlive.Stop()
	for {
		if done, err := s.sendChanges(current); done || err != nil {
			return
		}
		for waiting := true; waiting; {
			select {
			case <-notify:
				waiting = false
			case <-poll.C:
				waiting = false
			case <-keepAlive.C:
				if !s.stillAuthorized(ctx) || s.out.keepAlive() != nil {
					return
				}
			case <-s.server.drainCtx.Done():
				return // An EventSource connects again, to another server.
			case <-ctx.Done():
				return
			}
		}
		next, err := s.server.readChanges(ctx, s.id, s.lastChange)
		switch errs.KindOf(err) {
		case "":
			current = next
		case errs.KindTransient: // The caller is better off with a stream that waits than without one.
			current.Entries = nil
		default:
			return
		}
	}
}

// stillAuthorized looks again whether the caller's key is good: a stream may last longer
// than it. Whoever cannot be looked up just now stays.
func (s *eventStream) stillAuthorized(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, s.server.timeouts.work)
	defer cancel()
	_, err := s.server.authenticate(ctx, bearerToken(http.Header{"Authorization": {s.token}}))
	var authErr *access.AuthError
	return !errors.As(err, &authErr)
}

// sendChanges sends what is new; done is true when nothing more is to come.
func (s *eventStream) sendChanges(changes events.Changes) (done bool, err error) {
	if s.lastStatus == "" {
		if err := s.out.send("status", 0, statusEventOf(changes.Tenant)); err != nil {
			return true, err
		}
		s.lastStatus = changes.Tenant.Status
	}
	for _, e := range changes.Entries {
		if err := s.out.send("step", e.Change, dto.NewLogEntry(e)); err != nil {
			return true, err
		}
		s.lastChange = e.Change
	}
	if s.lastStatus != changes.Tenant.Status {
		if err := s.out.send("status", 0, statusEventOf(changes.Tenant)); err != nil {
			return true, err
		}
		s.lastStatus = changes.Tenant.Status
	}
	if !changes.Tenant.Status.Terminal() {
		return false, nil
	}
	return true, s.out.send("end", 0, statusEventOf(changes.Tenant))
}
