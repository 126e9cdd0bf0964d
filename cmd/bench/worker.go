//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
)

// Limits of a worker, which polls for jobs.
const (
	maxFirstStepTime = 100 * time.Millisecond
	maxIdleRate      = 15.0 // Statements per second.
)

// runWorker measures a worker in a process of its own, beside a server that runs none.
func (b *bench) runWorker(ctx context.Context) error {
	if err := b.buildAPI(ctx); err != nil {
		return err
	}
	url, drop, err := b.database(ctx)
	if err != nil {
		return err
	}
	defer drop()
	s, err := b.startOn(ctx, url, b.binary, "serve", "--port", "0", "--rate-limit", "1000000", "--worker=false")
	if err != nil {
		return err
	}
	defer s.stop()
	stop, err := b.startWorker(ctx, url)
	if err != nil {
		return err
	}
	defer stop()
	return runMeasurements(ctx, s.measureFirstSteps, s.measureIdleRate(b.server.URL(s.conn.Config().Database)))
}

// startWorker starts a worker on a database.
func (b *bench) startWorker(ctx context.Context, url string) (stop func(), err error) {
	cmd := exec.CommandContext(ctx, b.binary, "worker") //nolint:gosec // our own program
	cmd.Env, cmd.Stderr = append(os.Environ(), b.settings(url)...), io.Discard
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // It may have exited already.
		_ = cmd.Wait()
	}, nil
}

// measureFirstSteps measures the time from a POST until the worker has claimed the tenant, which
// is when the first step begins.
func (s *serverProcess) measureFirstSteps(ctx context.Context) ([]measurement, error) {
	const warmUp, posts = 20, 200
	var times []float64
	for i := range warmUp + posts {
		if err := (clock.System{}).Sleep(ctx, rand.N(110*time.Millisecond)); err != nil { //nolint:gosec // The moment between two polls; no secret.
			return nil, err
		}
		name, began := fmt.Sprintf("Post %d", i), time.Now()
		if err := s.post(ctx, name); err != nil {
			return nil, err
		}
		for claimed := false; !claimed; {
			if err := s.conn.QueryRow(ctx, `SELECT run_epoch > 0 FROM tenants WHERE name = $1`, name).Scan(&claimed); err != nil {
				return nil, err
			}
		}
		if i >= warmUp {
			times = append(times, time.Since(began).Seconds())
		}
		if err := s.waitActive(ctx, i+1); err != nil {
			return nil, err
		}
	}
	slices.Sort(times)
	at := func(part float64) time.Duration {
		return time.Duration(times[int(part*float64(len(times)-1))] * float64(time.Second)).Round(time.Millisecond)
	}
	return []measurement{{fmt.Sprintf("POST to first step, %d POSTs", posts),
		fmt.Sprintf("p50 %v, p90 %v, p99 %v", at(0.5), at(0.9), at(0.99)), "p50 <= " + maxFirstStepTime.String(), at(0.5) <= maxFirstStepTime}}, nil
}

// measureIdleRate counts the statements of a server and a worker that have nothing to do. The
// superuser's URL is for the extension that counts.
func (s *serverProcess) measureIdleRate(superuserURL string) func(context.Context) ([]measurement, error) {
	return func(ctx context.Context) ([]measurement, error) {
		conn, err := pgx.Connect(ctx, superuserURL)
		if err != nil {
			return nil, err
		}
		defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
		if _, err := conn.Exec(ctx, `CREATE EXTENSION pg_stat_statements`); err != nil {
			return nil, err
		}
		if err := (clock.System{}).Sleep(ctx, 10*time.Second); err != nil { // What follows the last tenant.
			return nil, err
		}
		if _, err := conn.Exec(ctx, `SELECT pg_stat_statements_reset()`); err != nil {
			return nil, err
		}
		began := time.Now()
		if err := (clock.System{}).Sleep(ctx, time.Minute); err != nil {
			return nil, err
		}
		var calls, fetches int
		err = conn.QueryRow(ctx, `SELECT coalesce(sum(calls), 0), coalesce(sum(calls) FILTER (WHERE query LIKE '%JobGetAvailable%'), 0)
			FROM pg_stat_statements JOIN pg_database d ON d.oid = dbid AND datname = current_database()`).Scan(&calls, &fetches)
		seconds := time.Since(began).Seconds()
		rate := float64(calls) / seconds
		return []measurement{{"statements of an idle server and worker, in a minute",
			fmt.Sprintf("%.1f/s, %.1f/s of them fetch jobs", rate, float64(fetches)/seconds), fmt.Sprintf("< %.0f/s", maxIdleRate), rate < maxIdleRate}}, err
	}
}
