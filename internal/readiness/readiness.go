// Package readiness checks, in the background, parts that a server can do without for a while:
// the queue's worker, the RPC server and the mail server. A request never waits for them.
package readiness

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
)

// Part is a part that is checked.
type Part struct {
	Name     string // Public; in lower case.
	Check    func(ctx context.Context) error
	Interval time.Duration // Between the end of a check and the next.
	Timeout  time.Duration // Of one check.
}

// Monitor checks parts while Run runs.
type Monitor struct {
	parts []Part
	clock clock.Clock
	log   *slog.Logger

	mu      sync.Mutex // Guards results.
	results []monitoring.Check
}

// New makes a monitor. A nil clock is the system's.
func New(parts []Part, c clock.Clock, log *slog.Logger) *Monitor {
	if c == nil {
		c = clock.System{}
	}
	return &Monitor{parts: parts, clock: c, log: log, results: make([]monitoring.Check, len(parts))}
}

// Run checks each part now and at its interval, until ctx ends. Parts do not wait for each other,
// and a check that ignores its context delays only the next of its own part.
func (m *Monitor) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for i, part := range m.parts {
		wg.Go(func() {
			for ctx.Err() == nil {
				m.check(ctx, i, part)
				if m.clock.Sleep(ctx, part.Interval) != nil {
					return
				}
			}
		})
	}
	wg.Wait()
}

// Results are the newest results, in the order of the parts. A part that was not checked yet is
// missing.
func (m *Monitor) Results() []monitoring.Check {
	m.mu.Lock()
	defer m.mu.Unlock()
	checked := make([]monitoring.Check, 0, len(m.results))
	for _, r := range m.results {
		if !r.CheckedAt.IsZero() {
			checked = append(checked, r)
		}
	}
	return checked
}

// check checks a part and stores the result. A change is logged; the error is only logged.
func (m *Monitor) check(ctx context.Context, index int, part Part) {
	started := m.clock.Now()
	err := run(ctx, part)
	if ctx.Err() != nil {
		return // The program stops, and the result says nothing about the part.
	}
	now := m.clock.Now()
	result := monitoring.Check{Name: part.Name, Status: monitoring.CheckOK, CheckedAt: now, Since: now, Took: now.Sub(started)}
	if err != nil {
		result.Status = monitoring.CheckDegraded
	}
	m.mu.Lock()
	before := m.results[index]
	if before.Status == result.Status {
		result.Since = before.Since
	}
	m.results[index] = result
	m.mu.Unlock()
	switch {
	case before.Status == result.Status:
	case err != nil:
		m.log.WarnContext(ctx, "a part is degraded", slog.String("part", part.Name), slog.Any("error", err))
	case before.Status != "":
		m.log.InfoContext(ctx, "a part works again", slog.String("part", part.Name))
	}
}

// run checks a part within its timeout. A panic is an error.
func run(ctx context.Context, part Part) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, part.Timeout)
	defer cancel()
	return part.Check(ctx)
}
