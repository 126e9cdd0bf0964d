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
	LastEventID int64 `header:"Last-Event-ID" minimum:"0" doc:"The id of the last event received: only later events are sent."`
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
	// Before the first read, so that no change between the two is missed.
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
		return nil, newProblem(http.StatusServiceUnavailable, "too many event streams are open; retry, or poll the provisioning status")
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

// readChanges reads the changes once, with a timeout.
func (s *Server) readChanges(ctx context.Context, id uuid.UUID, after int64) (events.Changes, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeouts.work)
	defer cancel()
	return s.opts.Service.Changes(ctx, id, after)
}

// eventStream sends the events of one tenant to one client.
type eventStream struct {
	server     *Server
	id         uuid.UUID
	lastChange int64  // The last change that was sent.
	token      string // The caller's Authorization header.
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
		case errs.KindTransient: // Keep the stream open until the database answers again.
			current.Entries = nil
		default:
			return
		}
	}
}

// stillAuthorized reports whether the caller's key is still valid: a stream can outlive its
// key. It returns true while the key cannot be checked.
func (s *eventStream) stillAuthorized(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, s.server.timeouts.work)
	defer cancel()
	_, err := s.server.authenticate(ctx, bearerToken(http.Header{"Authorization": {s.token}}))
	var authErr *access.AuthError
	return !errors.As(err, &authErr)
}

// sendChanges sends the new events; done is true when no more can follow.
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
