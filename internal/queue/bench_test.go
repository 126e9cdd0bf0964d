package queue_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// noopRunner does nothing.
type noopRunner struct{}

func (noopRunner) Run(context.Context, uuid.UUID, provisioning.RunOptions) (provisioning.Outcome, error) {
	return provisioning.Outcome{}, nil
}

// BenchmarkQueue submits tenants from eight clients to eight workers, on a server with
// synchronous commits: "queue" with a runner that does nothing, which measures River's
// cost, "pipeline" with the complete provisioning except the ledger.
func BenchmarkQueue(b *testing.B) {
	server, err := pgserver.Start(b.Context(), pgserver.Options{Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Stop() })
	for i, kind := range []string{"queue", "pipeline"} {
		b.Run(kind, func(b *testing.B) {
			admin, err := pgxpool.New(b.Context(), server.URL("postgres"))
			if err != nil {
				b.Fatal(err)
			}
			defer admin.Close()
			name := fmt.Sprintf("bench_%d_%d", i, b.N)
			if _, err := admin.Exec(b.Context(), "CREATE DATABASE "+name); err != nil {
				b.Fatal(err)
			}
			if err := testenv.Migrate(b.Context(), server.URL(name)); err != nil {
				b.Fatal(err)
			}
			benchmarkRun(b, server.URL(name), kind == "pipeline", func() (commits int) {
				if err := admin.QueryRow(b.Context(), `SELECT xact_commit FROM pg_stat_database WHERE datname = $1`, name).Scan(&commits); err != nil {
					b.Fatal(err)
				}
				return commits
			})
		})
	}
}

func benchmarkRun(b *testing.B, url string, fullPipeline bool, commits func() int) {
	w := newFixture(b, url)
	o := w.options()
	o.Runner = noopRunner{}
	if fullPipeline {
		o.Runner = w.newProcess()
	}
	q, err := queue.Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	if err := q.Start(context.WithoutCancel(b.Context())); err != nil {
		b.Fatal(err)
	}
	done := func() int {
		if fullPipeline {
			return int(w.total(tenant.StatusActive))
		}
		return value[int](w, `SELECT count(*) FROM river_job WHERE state = 'completed'`)
	}
	names := make(chan string)
	before := commits()
	b.ResetTimer()
	var clients sync.WaitGroup
	var mu sync.Mutex
	var submitting time.Duration
	for range 8 {
		clients.Go(func() {
			for name := range names {
				started := time.Now()
				w.submit(name)
				mu.Lock()
				submitting += time.Since(started)
				mu.Unlock()
			}
		})
	}
	for i := range b.N {
		names <- fmt.Sprintf("Clinic %d", i)
	}
	close(names)
	clients.Wait()
	w.waitFor("all are done", func() bool { return done() == b.N })
	b.StopTimer()
	elapsed := b.Elapsed()
	if err := q.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
	q.Close() // A connection reports its commits when it is closed.
	w.queue.Close()
	w.db.Close()
	b.ReportMetric(float64(b.N)/elapsed.Seconds(), "jobs/s")
	b.ReportMetric(float64(submitting.Microseconds())/float64(b.N)/1000, "ms/submission")
	b.ReportMetric(float64(commits()-before)/float64(b.N), "commits/job")
}
