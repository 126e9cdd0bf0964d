package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

type followInput struct {
	ByID
	LastEventID int64 `header:"Last-Event-ID" minimum:"0" doc:"The id of the last event that arrived: only what happened since is sent."`
}

type statusEvent struct {
	TenantID          uuid.UUID `json:"tenantId" format:"uuid"`
	Status            string    `json:"status" enum:"PENDING,PROVISIONING,ACTIVE,FAILED,ARCHIVED"`
	ProvisioningError *string   `json:"provisioningError"`
}

func statusOf(t provisioning.Tenant) statusEvent {
	return statusEvent{TenantID: t.ID, Status: string(t.Status), ProvisioningError: text(t.ProvisioningError)}
}

func (s *Server) follow(ctx context.Context, in *followInput) (*huma.StreamResponse, error) {
	id, err := in.tenant()
	if err != nil {
		return nil, err
	}
	// Before the first look, so that nothing between the two goes unnoticed.
	changed, stop := s.opts.Watcher.Watch(id)
	first, err := s.changes(ctx, id, in.LastEventID)
	if err != nil {
		stop()
		return nil, err
	}
	if first.Tenant.Status.Resting() && in.LastEventID > 0 && len(first.Entries) == 0 {
		stop()
		return &huma.StreamResponse{Body: func(ctx huma.Context) { ctx.SetStatus(http.StatusNoContent) }}, nil
	}
	select {
	case s.watchers <- struct{}{}:
	default:
		stop()
		return nil, newProblem(http.StatusServiceUnavailable, "too many follow events at the moment; try again, or ask for the provisioning status now and then")
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer func() { stop(); <-s.watchers }()
		defer s.metrics.stream("events")()
		f := follower{server: s, id: id, after: in.LastEventID, token: ctx.Header("Authorization"), out: openStream(ctx)}
		if ctx.Method() == http.MethodHead {
			return
		}
		f.follow(ctx.Context(), first, changed)
	}}, nil
}

// changes looks once, and not for ever.
func (s *Server) changes(ctx context.Context, id uuid.UUID, after int64) (provisioning.Changes, error) {
	ctx, cancel := context.WithTimeout(ctx, s.pace.work)
	defer cancel()
	return s.opts.Service.Changes(ctx, id, after)
}

// follower tells one caller what happens to one tenant.
type follower struct {
	server *Server
	id     uuid.UUID
	after  int64  // The last change that was sent.
	token  string // What the caller was admitted with.
	status provisioning.Status
	out    *stream
}

func (f *follower) follow(ctx context.Context, seen provisioning.Changes, changed <-chan struct{}) {
	look, silence := time.NewTicker(f.server.pace.look), time.NewTicker(f.server.pace.silence)
	defer look.Stop()
	defer silence.Stop()
	for {
		if done, err := f.tell(seen); done || err != nil {
			return
		}
		for waiting := true; waiting; {
			select {
			case <-changed:
				waiting = false
			case <-look.C:
				waiting = false
			case <-silence.C:
				if !f.admitted(ctx) || f.out.alive() != nil {
					return
				}
			case <-f.server.draining.Done():
				return // An EventSource connects again, to another server.
			case <-ctx.Done():
				return
			}
		}
		next, err := f.server.changes(ctx, f.id, f.after)
		switch provisioning.KindOf(err) {
		case "":
			seen = next
		case provisioning.KindTransient: // The caller is better off with a stream that waits than without one.
			seen.Entries = nil
		default:
			return
		}
	}
}

// admitted looks again whether the caller's key is good: a stream may last longer
// than it. Whoever cannot be looked up just now stays.
func (f *follower) admitted(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, f.server.pace.work)
	defer cancel()
	_, err := f.server.identify(ctx, bearer(http.Header{"Authorization": {f.token}}))
	var refusal *access.Refusal
	return !errors.As(err, &refusal)
}

// tell sends what is new; done is true when nothing more is to come.
func (f *follower) tell(seen provisioning.Changes) (done bool, err error) {
	if f.status == "" {
		if err := f.out.event("status", 0, statusOf(seen.Tenant)); err != nil {
			return true, err
		}
		f.status = seen.Tenant.Status
	}
	for _, e := range seen.Entries {
		if err := f.out.event("step", e.Change, logOf(e)); err != nil {
			return true, err
		}
		f.after = e.Change
	}
	if f.status != seen.Tenant.Status {
		if err := f.out.event("status", 0, statusOf(seen.Tenant)); err != nil {
			return true, err
		}
		f.status = seen.Tenant.Status
	}
	if !seen.Tenant.Status.Resting() {
		return false, nil
	}
	return true, f.out.event("end", 0, statusOf(seen.Tenant))
}
