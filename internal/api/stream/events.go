package stream

import (
	"context"

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
	Follower
	LastChange int64 // The last change that was sent.
	// Read reads the changes after a change number.
	Read func(ctx context.Context, after int64) (events.Changes, error)

	lastStatus tenant.Status
}

// Run sends events until the provisioning has ended, the client disconnects or the server
// stops.
func (s *Events) Run(ctx context.Context, current events.Changes) {
	defer s.start()()
	for {
		if done, err := s.sendChanges(current); done || err != nil {
			return
		}
		if !s.wait(ctx) {
			return
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
