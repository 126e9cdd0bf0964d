package api

import (
	"context"
	"time"
)

// Hasten lets a test see within milliseconds what a server otherwise does within
// seconds. It comes before the server's first request.
func (s *Server) Hasten(o Pace) {
	set := func(d *time.Duration, value time.Duration) {
		if value != 0 {
			*d = value
		}
	}
	set(&s.pace.look, o.Look)
	set(&s.pace.silence, o.Silence)
	set(&s.pace.sign, o.Sign)
	set(&s.pace.read, o.Read)
	set(&s.pace.write, o.Write)
	set(&s.pace.work, o.Work)
	set(&s.pace.part, o.Part)
}

// Pace is what Hasten changes; 0 is left as it is.
type Pace struct{ Look, Silence, Sign, Read, Write, Work, Part time.Duration }

// Waiting is how many events wait for the audit log's writer.
func (s *Server) Waiting() int { return len(s.recorder.queue) }

// Runs is how many runs there are inside requests.
func (s *Server) Runs() int { return len(s.runs) }

// Followers is how many callers follow events.
func (s *Server) Followers() int { return len(s.watchers) }

// WithFeed gives a context of a run, and how many events wait at most.
func WithFeed(ctx context.Context) (context.Context, int) {
	return context.WithValue(ctx, feedKey{}, make(feed, feedRoom)), feedRoom
}
