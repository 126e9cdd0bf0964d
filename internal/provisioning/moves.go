package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Move is a move of a tenant that needs the privileges of the registry's owner, so that a
// process without them queues it for a worker.
type Move string

// The moves that can be queued.
const (
	MoveSuspend   Move = "suspend"
	MoveResume    Move = "resume"
	MoveArchive   Move = "archive"
	MoveUnarchive Move = "unarchive"
	MovePurge     Move = "purge"
	MoveRepair    Move = "repair"
)

// SkipRetention is the retention of a purge that does not wait for its end.
const SkipRetention time.Duration = -1

// MoveRequest is a move to queue.
type MoveRequest struct {
	Move      Move
	Confirm   string        // Of a purge: the tenant's name.
	Retention time.Duration // Of a purge: how long the tenant must have been archived, or SkipRetention.
}

// SubmitMove queues a move for a worker. A repeated request returns the job that is queued.
// The errors are those of the move itself, as far as they are known before it begins;
// KindConflict, too, while another move of the tenant is queued.
func (s *Service) SubmitMove(ctx context.Context, id uuid.UUID, r MoveRequest) (Submission, error) {
	t, err := s.tenants.Get(ctx, id)
	if err != nil {
		return Submission{}, err
	}
	if r.Move == MovePurge {
		if err := checkConfirmation(t, r.Confirm); err != nil {
			return Submission{}, err
		}
	}
	return s.moves.QueueMove(ctx, id, r)
}

// checkConfirmation returns KindInvalid unless a purge is confirmed with the tenant's name.
func checkConfirmation(t tenant.Tenant, confirm string) error {
	if tenant.NormalizeName(confirm) == t.Name {
		return nil
	}
	return &errs.Error{Kind: errs.KindInvalid, Op: "purge tenant", Fields: []errs.FieldError{{
		Field: "confirm", Message: "is not the tenant's name; give the name exactly, to show that this tenant is meant",
	}}}
}
