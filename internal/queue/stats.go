package queue

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/stats"
)

const (
	// leadershipTTL is how long River's leader holds its leadership; it renews it every five seconds.
	leadershipTTL = 15 * time.Second
	// workerTimeout is how long ago a worker may have been seen to count as alive: when the leader
	// dies, another worker leads after 20 seconds at most.
	workerTimeout = 30 * time.Second
)

// Names are the names of the queues.
func Names() []string { return []string{queueName, moveQueueName} }

// Stats reads how many jobs wait and run, and when a worker was seen, in two statements. It
// reads no ended job.
func (q *Queue) Stats(ctx context.Context) (monitoring.Queue, error) {
	const op = "read queue statistics"
	var found monitoring.Queue
	for _, name := range Names() {
		found.Queues = append(found.Queues, monitoring.QueueDepth{Name: name, Jobs: map[monitoring.JobState]int64{}})
	}
	rows, _ := q.pool.Query(ctx, `SELECT array_position($1::text[], queue) - 1, state::text, count(*), coalesce(max(now() - scheduled_at) FILTER (WHERE state <> 'running' AND scheduled_at < now()), '0')
		FROM river_job WHERE state IN ('available', 'pending', 'retryable', 'running', 'scheduled') AND queue = ANY ($1) GROUP BY 1, 2`, Names())
	var (
		index int
		state monitoring.JobState
		jobs  int64
		due   time.Duration
	)
	_, err := pgx.ForEachRow(rows, []any{&index, &state, &jobs, &due}, func() error {
		depth := &found.Queues[index]
		depth.Jobs[state] += jobs
		depth.OldestDue = max(depth.OldestDue, due)
		return nil
	})
	if err != nil {
		return found, classify(err, op)
	}
	// River notes a queue when a worker starts, and then every ten minutes.
	var last *time.Duration
	err = q.pool.QueryRow(ctx, `SELECT now() - greatest((SELECT max(expires_at) - $1::interval FROM river_leader), (SELECT max(updated_at) FROM river_queue WHERE name = ANY ($2)))`,
		leadershipTTL, Names()).Scan(&last)
	if last != nil && err == nil {
		found.WorkerSeen, found.LastSeen = true, max(*last, 0)
		found.WorkerAlive = found.LastSeen <= workerTimeout
	}
	return found, classify(err, op)
}

// PoolStats are the connections of the queue's pool.
func (q *Queue) PoolStats() monitoring.Pool { return stats.PoolStats("queue", q.pool) }
