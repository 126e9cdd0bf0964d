package stream

import (
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Feed sends the events of all tenants to one client.
type Feed struct {
	Follower
	Last int64 // Position of the last event that was sent.
	// Read reads the events after a position.
	Read func(ctx context.Context, after int64) ([]audit.FeedEvent, error)
}

// Run sends events until the client disconnects or the server stops. It reads on at once while there
// are more.
func (s *Feed) Run(ctx context.Context, found []audit.FeedEvent) {
	defer s.start()()
	for {
		for _, e := range found {
			if s.Out.send("event", e.Position, dto.NewFeedEvent(e)) != nil {
				return
			}
			s.Last = e.Position
		}
		if len(found) == 0 && !s.wait(ctx) || ctx.Err() != nil {
			return
		}
		next, err := s.Read(ctx, s.Last)
		switch errs.KindOf(err) {
		case "":
			found = next
		case errs.KindTransient: // Keep the stream open until the database answers again.
			found = nil
		default:
			return
		}
	}
}
