package api

import (
	"time"
)

// SetTimeouts lets a test see within milliseconds what a server otherwise does within
// seconds. It comes before the server's first request.
func (s *Server) SetTimeouts(o Timeouts) {
	set := func(d *time.Duration, value time.Duration) {
		if value != 0 {
			*d = value
		}
	}
	set(&s.timeouts.pollInterval, o.PollInterval)
	set(&s.timeouts.eventKeepAlive, o.EventKeepAlive)
	set(&s.timeouts.provisionKeepAlive, o.ProvisionKeepAlive)
	set(&s.timeouts.read, o.Read)
	set(&s.timeouts.write, o.Write)
	set(&s.timeouts.work, o.Work)
	set(&s.timeouts.check, o.Check)
}

// Timeouts is what SetTimeouts changes; 0 is left as it is.
type Timeouts struct{ PollInterval, EventKeepAlive, ProvisionKeepAlive, Read, Write, Work, Check time.Duration }

// QueuedAuditEvents is how many events wait for the audit log's writer.
func (s *Server) QueuedAuditEvents() int { return s.recorder.Queued() }

// ActiveProvisionStreams is how many runs there are inside requests.
func (s *Server) ActiveProvisionStreams() int { return len(s.provisionSlots) }

// ActiveEventStreams is how many callers follow events.
func (s *Server) ActiveEventStreams() int { return len(s.eventStreamSlots) }
