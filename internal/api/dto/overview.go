package dto

import (
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Overview is the state of a whole platform, as an operator wants it at a glance.
type Overview struct {
	GeneratedAt time.Time     `json:"generatedAt"`
	Tenants     *TenantCounts `json:"tenants" doc:"Number of tenants by status; null: unavailable."`
	Attention   []Attention   `json:"attention" nullable:"false" doc:"What a person should look at, the most urgent first; only what there is."`
	Throughput  []Hour        `json:"throughput" nullable:"false" doc:"The last 24 hours, the oldest first; the last one is not over yet."`
	Queue       *Queue        `json:"queue" doc:"Null: unavailable."`
	Ledger      *Ledger       `json:"ledger" doc:"What registry and server know of the Stellar network, without asking it; null: unavailable."`
	Checks      []Check       `json:"checks" nullable:"false" doc:"The newest results of GET /readyz."`
	Unavailable []string      `json:"unavailable" nullable:"false" enum:"tenants,attention,behind,drift,throughput,queue,ledger,checks" doc:"The parts that could not be read in time. behind: attention is without TENANTS_BEHIND; drift: without DRIFTED; queue: without WORKER_MISSING; ledger: without CHANNEL_DISABLED and LOW_BALANCE."`
}

// TenantCounts are numbers of tenants.
type TenantCounts struct {
	Pending      int64 `json:"PENDING"`
	Provisioning int64 `json:"PROVISIONING"`
	Active       int64 `json:"ACTIVE"`
	Suspended    int64 `json:"SUSPENDED"`
	Failed       int64 `json:"FAILED"`
	Archived     int64 `json:"ARCHIVED"`
}

// NewTenantCounts converts numbers of tenants to JSON.
func NewTenantCounts(n map[tenant.Status]int64) *TenantCounts {
	return &TenantCounts{
		Pending: n[tenant.StatusPending], Provisioning: n[tenant.StatusProvisioning], Active: n[tenant.StatusActive],
		Suspended: n[tenant.StatusSuspended], Failed: n[tenant.StatusFailed], Archived: n[tenant.StatusArchived],
	}
}

// Attention is a group of what needs attention for one reason.
type Attention struct {
	Kind      string            `json:"kind" enum:"REGISTRY_RESTORED,WORKER_MISSING,FAILED,STUCK,DRIFTED,CONTRACT_ERROR,CONTRACT_EXPIRING,CHANNEL_DISABLED,LOW_BALANCE,WELCOME_EMAIL_FAILED,WELCOME_EMAIL_PENDING,INVITATION_EXPIRED,LOGINS_OVERDUE,TENANTS_BEHIND"`
	Count     int64             `json:"count" minimum:"1"`
	Blueprint *string           `json:"blueprint" nullable:"true" doc:"Of TENANTS_BEHIND, which has a group for each blueprint."`
	Message   *string           `json:"message" nullable:"true" doc:"What it is and what to do, of a group that is not about tenants."`
	Tenants   []AttentionTenant `json:"tenants" nullable:"false" doc:"At most five."`
}

// AttentionTenant is a tenant of a group.
type AttentionTenant struct {
	ID     uuid.UUID  `json:"id" format:"uuid"`
	Name   string     `json:"name"`
	Status string     `json:"status" enum:"PENDING,PROVISIONING,ACTIVE,SUSPENDED,FAILED,ARCHIVED"`
	Since  *time.Time `json:"since" nullable:"true" doc:"Null: not known."`
	Reason *string    `json:"reason" nullable:"true" doc:"Null: the kind says all."`
}

// NewAttention converts a group to JSON.
func NewAttention(a monitoring.Attention) Attention {
	v := Attention{Kind: string(a.Kind), Count: a.Count, Blueprint: Text(a.Blueprint), Message: Text(a.Message), Tenants: make([]AttentionTenant, len(a.Tenants))}
	for i, t := range a.Tenants {
		v.Tenants[i] = AttentionTenant{ID: t.ID, Name: t.Name, Status: string(t.Status), Since: Time(t.Since), Reason: Text(t.Reason)}
	}
	return v
}

// Hour counts what happened in an hour.
type Hour struct {
	From      time.Time `json:"from"`
	Activated int64     `json:"activated" doc:"Tenants that went live."`
	Failed    int64     `json:"failed" doc:"Attempts that failed."`
}

// NewHours converts hours to JSON.
func NewHours(all []monitoring.Hour) []Hour {
	hours := make([]Hour, len(all))
	for i, h := range all {
		hours[i] = Hour{h.From.UTC(), h.Activated, h.Failed}
	}
	return hours
}

// Queue is the state of the queues, and of the workers.
type Queue struct {
	Waiting              int64  `json:"waiting" doc:"Jobs that have not begun, or are to be run again."`
	Running              int64  `json:"running"`
	OldestDueSeconds     int64  `json:"oldestDueSeconds" doc:"How long the oldest job that is due has waited; 0: none is due."`
	WorkerAlive          bool   `json:"workerAlive" doc:"A worker was seen in the last 30 seconds."`
	WorkerSeenSecondsAgo *int64 `json:"workerSeenSecondsAgo" nullable:"true" doc:"Null: none was ever seen."`
}

// NewQueue converts the state of the queues to JSON.
func NewQueue(q monitoring.Queue) *Queue {
	v := &Queue{WorkerAlive: q.WorkerAlive}
	for _, depth := range q.Queues {
		for state, jobs := range depth.Jobs {
			if state == monitoring.JobRunning {
				v.Running += jobs
			} else {
				v.Waiting += jobs
			}
		}
		v.OldestDueSeconds = max(v.OldestDueSeconds, int64(depth.OldestDue.Seconds()))
	}
	if q.WorkerSeen {
		seconds := int64(q.LastSeen.Seconds())
		v.WorkerSeenSecondsAgo = &seconds
	}
	return v
}

// Ledger is what registry and server know of the Stellar network.
type Ledger struct {
	Sequence           *int64     `json:"sequence" nullable:"true" doc:"The newest ledger that this server has seen; null: none yet."`
	ClosedAt           *time.Time `json:"closedAt" nullable:"true"`
	Deployer           string     `json:"deployer" doc:"The account that pays, G..."`
	BalanceStroops     *int64     `json:"deployerBalanceStroops" nullable:"true" doc:"As last read; null: not yet."`
	BalanceAt          *time.Time `json:"deployerBalanceAt" nullable:"true"`
	ChannelsConfigured int        `json:"channelsConfigured"`
	ChannelsUsable     int        `json:"channelsUsable"`
}

// NewLedger converts what is known of a network to JSON.
func NewLedger(l monitoring.Ledger) *Ledger {
	v := &Ledger{ClosedAt: Time(l.ClosedAt), Deployer: l.Deployer, BalanceStroops: l.Balance, BalanceAt: Time(l.BalanceAt), ChannelsConfigured: l.ChannelsConfigured, ChannelsUsable: l.ChannelsUsable}
	if l.Sequence > 0 {
		sequence := int64(l.Sequence)
		v.Sequence = &sequence
	}
	return v
}

// Check is the newest result of a check of GET /readyz.
type Check struct {
	Name       string    `json:"name" example:"database" doc:"server, database, queue, rpc or mail"`
	Status     string    `json:"status" enum:"ok,degraded,unavailable"`
	CheckedAt  time.Time `json:"checkedAt" doc:"End of the last check."`
	Since      time.Time `json:"since" doc:"When this server first saw the status."`
	DurationMs float64   `json:"durationMs" doc:"Duration of the last check." example:"1.25"`
}

// NewCheck converts the result of a check to JSON.
func NewCheck(c monitoring.Check) Check {
	return Check{c.Name, string(c.Status), c.CheckedAt.UTC().Truncate(time.Millisecond), c.Since.UTC().Truncate(time.Millisecond), float64(c.Took.Microseconds()) / 1000}
}
