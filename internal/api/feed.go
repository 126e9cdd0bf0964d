package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/stream"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

const feedPath = "/admin/events"

// registerFeedRoutes registers the operations of the feed of all events.
func (s *Server) registerFeedRoutes() {
	registerEndpoint(s, &endpoint{
		id: "list-events", method: http.MethodGet, path: feedPath, tag: "registry",
		summary: "List the events of all tenants", description: "Every change and every rejected request, in one order that never changes, without gaps and without personal data; GET /admin/tenants/{id}/audit has who and what. Store nextCursor and continue with it: it is there on the last page, too.",
		scope: access.ScopeRead,
	}, s.listFeed)
	registerEndpoint(s, &endpoint{
		id: "stream-all-events", method: http.MethodGet, path: feedPath + "/stream", tag: "registry",
		summary: "Follow the events of all tenants", description: "Server-sent events, each with its position as id, within seconds of its commit. Last-Event-ID continues where an earlier connection broke; without it the stream begins with the oldest event.",
		scope: access.ScopeRead, streaming: true, responses: feedStreamResponses,
	}, s.streamFeed)
}

type feedInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Maximum number of events."`
	Cursor string `query:"cursor" minLength:"1" maxLength:"128" doc:"The nextCursor of an earlier page. Without it, the oldest events."`
}

type feedPage struct {
	Events     []dto.FeedEvent `json:"events" nullable:"false" doc:"Oldest first."`
	NextCursor string          `json:"nextCursor" doc:"The cursor of what follows, now or later."`
}

const feedList = "events"

func (s *Server) listFeed(ctx context.Context, in *feedInput) (*bodyOutput[feedPage], error) {
	after := int64(0)
	if in.Cursor != "" {
		var ok bool
		if after, ok = dto.OpenSeqCursor(feedList, in.Cursor); !ok {
			return nil, errInvalidCursor
		}
	}
	found, err := s.opts.Service.Feed(ctx, after, in.Limit)
	if err != nil {
		return nil, err
	}
	page := feedPage{Events: make([]dto.FeedEvent, len(found))}
	for i, e := range found {
		page.Events[i], after = dto.NewFeedEvent(e), e.Position
	}
	page.NextCursor = dto.SeqCursor(feedList, after)
	return newBodyOutput(page), nil
}

type feedStreamInput struct {
	LastEventID int64 `header:"Last-Event-ID" minimum:"0" doc:"The id of the last event received: only later events are sent."`
}

// feedStreamBatch is how many events one read of the stream returns.
const feedStreamBatch = 500

func (s *Server) streamFeed(ctx context.Context, in *feedStreamInput) (*huma.StreamResponse, error) {
	read := func(ctx context.Context, after int64) ([]audit.FeedEvent, error) {
		ctx, cancel := context.WithTimeout(ctx, s.timeouts.work)
		defer cancel()
		return s.opts.Service.Feed(ctx, after, feedStreamBatch)
	}
	first, err := read(ctx, in.LastEventID)
	if err != nil {
		return nil, err
	}
	leave, refused := s.eventStreamPlaces.Take(requestContextFrom(ctx).placeKey())
	if refused != nil {
		return nil, refused
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer leave()
		defer s.metrics.TrackStream("feed")()
		token := auth.BearerToken(http.Header{"Authorization": {ctx.Header("Authorization")}})
		f := stream.Feed{
			Follower: stream.Follower{
				Out:             stream.NewWriter(requestContextFrom(ctx.Context()).response),
				StillAuthorized: func(ctx context.Context) bool { return s.stillAuthorized(ctx, token) },
				Draining:        s.drainCtx.Done(), PollInterval: s.timeouts.pollInterval, KeepAlive: s.timeouts.eventKeepAlive,
			},
			Last: in.LastEventID, Read: read,
		}
		if ctx.Method() == http.MethodHead {
			return
		}
		f.Run(tracing.Without(ctx.Context()), first) // It reads for as long as the stream is open.
	}}, nil
}
