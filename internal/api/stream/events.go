package stream

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/events"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// StatusEvent is the event with a tenant's status.
type StatusEvent struct {
	TenantID          uuid.UUID `json:"tenantId" format:"uuid"`
	Status            string    `json:"status" enum:"PENDING,PROVISIONING,ACTIVE,SUSPENDED,FAILED,ARCHIVED"`
	ProvisioningError *string   `json:"provisioningError"`
}

func statusEventOf(t tenant.Tenant) StatusEvent {
	return StatusEvent{TenantID: t.ID, Status: string(t.Status), ProvisioningError: dto.Text(t.ProvisioningError)}
}

// Events sends the events of one tenant to one client.
type Events struct {
	Out        *Writer
	LastChange int64 // The last change that was sent.
	// Read reads the changes after a change number.
	Read func(ctx context.Context, after int64) (events.Changes, error)
	// StillAuthorized reports whether the caller may continue: a stream can outlive its
	// key.
	StillAuthorized func(ctx context.Context) bool
	Notify          <-chan struct{} // Receives when there may be changes.
	Draining        <-chan struct{} // Closed when the server stops.
	PollInterval    time.Duration   // For changes without a notification.
	KeepAlive       time.Duration   // Between two keep-alives.

	lastStatus tenant.Status
}

// Run sends events until the provisioning has ended, the client disconnects or the server
// stops.
func (s *Events) Run(ctx context.Context, current events.Changes) {
	poll, keepAlive := time.NewTicker(s.PollInterval), time.NewTicker(s.KeepAlive)
	defer poll.Stop()
	defer keepAlive.Stop()
	for {
		if done, err := s.sendChanges(current); done || err != nil {
			return
		}
		for waiting := true; waiting; {
			select {
			case <-s.Notify:
				waiting = false
			case <-poll.C:
				waiting = false
			case <-keepAlive.C:
				if !s.StillAuthorized(ctx) || s.Out.keepAlive() != nil {
					return
				}
			case <-s.Draining:
				return // An EventSource connects again, to another server.
			case <-ctx.Done():
				return
			}
		}
		next, err := s.Read(ctx, s.LastChange)
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

// sendChanges sends the new events; done is true when no more can follow.
func (s *Events) sendChanges(changes events.Changes) (done bool, err error) {
	if s.lastStatus == "" {
		if err := s.sendStatus(changes.Tenant); err != nil {
			return true, err
		}
	}
	for _, e := range changes.Entries {
		if err := s.Out.send("step", e.Change, dto.NewLogEntry(e)); err != nil {
			return true, err
		}
		s.LastChange = e.Change
	}
	if s.lastStatus != changes.Tenant.Status {
		if err := s.sendStatus(changes.Tenant); err != nil {
			return true, err
		}
	}
	if !changes.Tenant.Status.Terminal() {
		return false, nil
	}
	return true, s.Out.send("end", 0, statusEventOf(changes.Tenant))
}

func (s *Events) sendStatus(t tenant.Tenant) error {
	s.lastStatus = t.Status
	return s.Out.send("status", 0, statusEventOf(t))
}
