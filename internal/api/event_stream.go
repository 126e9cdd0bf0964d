package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/stream"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/events"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

type eventStreamInput struct {
	ByID
	LastEventID int64 `header:"Last-Event-ID" minimum:"0" doc:"The id of the last event received: only later events are sent."`
}

func (s *Server) streamEvents(ctx context.Context, in *eventStreamInput) (*huma.StreamResponse, error) {
	// Before the first read, so that no change between the two is missed.
	notify, stop := s.opts.Notifier.Watch(in.tenantID)
	initial, err := s.readChanges(ctx, in.tenantID, in.LastEventID)
	if err != nil {
		stop()
		return nil, err
	}
	if initial.Tenant.Status.Terminal() && in.LastEventID > 0 && len(initial.Entries) == 0 {
		stop()
		return &huma.StreamResponse{Body: func(ctx huma.Context) { ctx.SetStatus(http.StatusNoContent) }}, nil
	}
	leave, refused := s.eventStreamPlaces.Take(requestContextFrom(ctx).placeKey())
	if refused != nil {
		stop()
		return nil, refused
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer leave()
		defer stop()
		defer s.metrics.TrackStream("events")()
		token := auth.BearerToken(http.Header{"Authorization": {ctx.Header("Authorization")}})
		es := stream.Events{
			Follower: stream.Follower{
				Out:             stream.NewWriter(requestContextFrom(ctx.Context()).response),
				StillAuthorized: func(ctx context.Context) bool { return s.stillAuthorized(ctx, token) },
				Notify:          notify, Draining: s.drainCtx.Done(), PollInterval: s.timeouts.pollInterval, KeepAlive: s.timeouts.eventKeepAlive,
			},
			LastChange: in.LastEventID,
			Read: func(ctx context.Context, after int64) (events.Changes, error) {
				return s.readChanges(ctx, in.tenantID, after)
			},
		}
		if ctx.Method() == http.MethodHead {
			return
		}
		es.Run(tracing.Without(ctx.Context()), initial) // It reads for as long as the stream is open.
	}}, nil
}

// readChanges reads the changes once, with a timeout.
func (s *Server) readChanges(ctx context.Context, id uuid.UUID, after int64) (events.Changes, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeouts.work)
	defer cancel()
	changes, err := s.opts.Service.Changes(ctx, id, after)
	if err == nil && !tenant.Visible(ctx).Matches(changes.Tenant.Metadata) {
		return events.Changes{}, errUnknownTenant(id) // Its metadata has changed while the stream was open.
	}
	return changes, err
}

// stillAuthorized reports whether a token is still valid. It returns true while that cannot
// be checked.
func (s *Server) stillAuthorized(ctx context.Context, token string) bool {
	ctx, cancel := context.WithTimeout(ctx, s.timeouts.work)
	defer cancel()
	_, err := s.auth.Authenticate(ctx, token)
	var authErr *access.AuthError
	return !errors.As(err, &authErr)
}
