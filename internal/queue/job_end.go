package queue

import (
	"errors"
	"slices"

	"github.com/riverqueue/river"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// JobEnd says how an attempt of a job ended.
type JobEnd struct {
	Kind    string // One of JobKinds.
	Outcome monitoring.JobOutcome
}

// kindUnknown is the kind of moves that this program does not know.
const kindUnknown = "unknown"

// queuedMoves are the moves that servers without a worker queue.
var queuedMoves = []provisioning.Move{
	provisioning.MoveSuspend, provisioning.MoveResume, provisioning.MoveArchive, provisioning.MoveUnarchive, provisioning.MovePurge, provisioning.MoveRepair,
}

// JobKinds are all kinds of jobs.
func JobKinds() []string {
	kinds := []string{monitoring.KindProvision, kindUnknown}
	for _, move := range queuedMoves {
		kinds = append(kinds, string(move))
	}
	return kinds
}

// kindOfMove is the kind of a move's job. What a job says is written by servers, which are
// trusted less.
func kindOfMove(move provisioning.Move) string {
	if slices.Contains(queuedMoves, move) {
		return string(move)
	}
	return kindUnknown
}

// jobOutcome classifies what a worker returns to River at the end of an attempt.
func jobOutcome(result error, attempt, maxAttempts int) monitoring.JobOutcome {
	var (
		cancelled *river.JobCancelError
		snoozed   *river.JobSnoozeError
	)
	switch {
	case result == nil:
		return monitoring.JobCompleted
	case errors.As(result, &snoozed):
		return monitoring.JobPostponed
	case errors.As(result, &cancelled), attempt >= maxAttempts:
		return monitoring.JobFailed
	}
	return monitoring.JobRetried
}
