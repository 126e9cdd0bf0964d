package api

import (
	"time"
)

// SetTimeouts lets a test observe within milliseconds what takes a server seconds. Call it
// before the server's first request.
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

// Timeouts are the values for SetTimeouts; 0 changes nothing.
type Timeouts struct{ PollInterval, EventKeepAlive, ProvisionKeepAlive, Read, Write, Work, Check time.Duration }

// QueuedAuditEvents returns the number of events that are waiting for the audit log's
// writer.
func (s *Server) QueuedAuditEvents() int { return s.recorder.Queued() }

// ActiveProvisionStreams returns the number of runs inside requests.
func (s *Server) ActiveProvisionStreams() int { return s.provisionPlaces.Taken() }

// ActiveEventStreams returns the number of open event streams.
func (s *Server) ActiveEventStreams() int { return s.eventStreamPlaces.Taken() }
