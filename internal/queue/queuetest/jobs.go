//go:build unix

// Package queuetest shows a queue to tests of other packages, so that only package queue
// knows its tables.
package queuetest

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// Queue is a queue with its own connection. A failed query fails the test.
type Queue struct {
	t    testing.TB
	conn *pgx.Conn
}

// Open connects to the queue in a database until the test ends.
func Open(t testing.TB, url string) *Queue {
	t.Helper()
	return &Queue{t, testenv.Connect(t, url)}
}

// Unfinished is the number of jobs that have not ended.
func (q *Queue) Unfinished() (n int) {
	q.t.Helper()
	if err := q.conn.QueryRow(q.t.Context(), `SELECT count(*) FROM river_job WHERE finalized_at IS NULL`).Scan(&n); err != nil {
		q.t.Fatalf("queue: %v", err)
	}
	return n
}

// ForgetWorkers deletes what shows when a worker was seen.
func (q *Queue) ForgetWorkers() {
	q.t.Helper()
	if _, err := q.conn.Exec(q.t.Context(), `DELETE FROM river_queue; DELETE FROM river_leader`); err != nil {
		q.t.Fatalf("queue: %v", err)
	}
}
