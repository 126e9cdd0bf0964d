// Package monitoring has the values that metrics and readiness show: plain values, which
// adapters deliver and telemetry exports.
package monitoring

import (
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// MailKind tells the mails of the product apart.
type MailKind string

// The kinds of mails.
const (
	MailWelcome  MailKind = "welcome"
	MailReminder MailKind = "reminder"
	MailFailure  MailKind = "failure"
)

// MailKinds are all kinds of mails.
func MailKinds() []MailKind { return []MailKind{MailWelcome, MailReminder, MailFailure} }

// Backlog is what has been due for a while and was not done yet.
type Backlog struct {
	Count  int64
	Oldest time.Duration // How long the oldest has been due. 0: there is none.
}

// MaxUnnumbered is the largest number of events without a position that is counted: counting
// all of them could take long.
const MaxUnnumbered = 10_000

// Registry are statistics of the registry, read without a scan of its tables.
type Registry struct {
	Tenants            map[tenant.Status]int64 // Every status has an entry.
	InvitationsPending int64
	InvitationsExpired int64 // Neither accepted in time nor replaced.
	Stuck              int64 // Unfinished tenants that no run has held for ten minutes.
	Mails              map[MailKind]Backlog
	LoginsOpen         int64   // That have not expired and are not closed.
	LoginsOverdue      Backlog // Expired or closed logins that are not ended yet.
	Unnumbered         Backlog // Audit events without a position in the feed; Count is at most MaxUnnumbered.
	Restored           bool    // The registry was restored from a backup, and runs stop.
}

// JobState is the state of a job that has not ended.
type JobState string

// The states of jobs that have not ended.
const (
	JobAvailable JobState = "available" // To be run at once.
	JobScheduled JobState = "scheduled" // To be run later: its tenant is held, or an own step waits.
	JobRetryable JobState = "retryable" // To be run again after an error.
	JobRunning   JobState = "running"
	JobPending   JobState = "pending" // Not used by this program.
)

// JobStates are all states of jobs that have not ended.
func JobStates() []JobState {
	return []JobState{JobAvailable, JobScheduled, JobRetryable, JobRunning, JobPending}
}

// KindProvision is the kind of the jobs that provision a tenant. Those of moves are named after the
// move.
const KindProvision = "provision"

// JobOutcome is the result of an attempt of a job.
type JobOutcome string

// The outcomes of attempts.
const (
	JobCompleted JobOutcome = "completed" // The job has ended, and nothing is left to do.
	JobFailed    JobOutcome = "failed"    // The job has ended with an error.
	JobRetried   JobOutcome = "retried"   // It is run again after an error.
	JobPostponed JobOutcome = "postponed" // It is run again later, without an error: its tenant is held, or an own step waits.
)

// JobOutcomes are all outcomes of attempts.
func JobOutcomes() []JobOutcome {
	return []JobOutcome{JobCompleted, JobFailed, JobRetried, JobPostponed}
}

// QueueDepth are the jobs of one queue.
type QueueDepth struct {
	Name      string
	Jobs      map[JobState]int64 // Without entries for states that no job is in.
	OldestDue time.Duration      // How long the oldest job that is not running has been due. 0: none is.
}

// Queue are statistics of the queues, and of the workers as the queues' tables show them.
type Queue struct {
	Queues      []QueueDepth
	WorkerAlive bool          // A worker was seen in the last 30 seconds.
	WorkerSeen  bool          // A worker was ever seen.
	LastSeen    time.Duration // How long ago a worker was seen, in steps of five seconds.
}

// Database are statistics of the server, read from its own counters.
type Database struct {
	Writable          bool // False on a standby, and where the server is set to read-only.
	Connections       int64
	MaxConnections    int64
	OldestTransaction time.Duration // Of the sessions in this database that the user may see.
	TransactionIDAge  int64         // Transactions since the oldest that is not frozen; the server stops at 2^31.
}

// BlueprintTenants are the tenants of one blueprint.
type BlueprintTenants struct {
	Blueprint string
	Behind    int64 // Live tenants that are not at its active revision.
}

// Pool are the connections of one pool of this process.
type Pool struct {
	Name                    string
	Acquired, Idle, Opening int64
	Max                     int64
	Acquires                int64         // In all, as the next three.
	Waits                   int64         // Acquires that found no idle connection.
	Waited                  time.Duration // The time that these waited.
	Canceled                int64         // Acquires that ended without a connection.
}

// CheckStatus is the result of a readiness check.
type CheckStatus string

// The results of checks.
const (
	CheckOK          CheckStatus = "ok"
	CheckDegraded    CheckStatus = "degraded"    // The server serves, and something waits or fails.
	CheckUnavailable CheckStatus = "unavailable" // The server cannot serve.
)

// Check is the newest result of a readiness check.
type Check struct {
	Name      string
	Status    CheckStatus
	CheckedAt time.Time
	Since     time.Time // When the status was first seen.
	Took      time.Duration
}
