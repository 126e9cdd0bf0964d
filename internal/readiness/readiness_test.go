package readiness_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/readiness"
)

func TestMonitor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var (
			log     bytes.Buffer
			down    atomic.Bool
			started = time.Now()
		)
		m := readiness.New([]readiness.Part{
			{Name: "rpc", Check: func(context.Context) error {
				time.Sleep(time.Second)
				if down.Load() {
					return errors.New("it does not answer")
				}
				return nil
			}, Interval: 29 * time.Second, Timeout: 5 * time.Second},
			{Name: "mail", Check: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, Interval: 55 * time.Second, Timeout: 5 * time.Second},
			{Name: "queue", Check: func(context.Context) error { panic("no queue") }, Interval: time.Minute, Timeout: time.Second},
		}, nil, slog.New(slog.NewTextHandler(&log, nil)))
		if n := len(m.Results()); n != 0 {
			t.Errorf("%d results before the first check", n)
		}
		done := make(chan struct{})
		go func() { defer close(done); m.Run(ctx) }()
		check := func(name string) monitoring.Check {
			t.Helper()
			for _, r := range m.Results() {
				if r.Name == name {
					return r
				}
			}
			t.Fatalf("no result of %s", name)
			return monitoring.Check{}
		}
		at := func(d time.Duration) { t.Helper(); time.Sleep(time.Until(started.Add(d))); synctest.Wait() }
		at(6 * time.Second)
		if c := check("rpc"); c.Status != monitoring.CheckOK || c.Took != time.Second || !c.CheckedAt.Equal(started.Add(time.Second)) || !c.Since.Equal(c.CheckedAt) {
			t.Errorf("%+v", c)
		}
		if c := check("mail"); c.Status != monitoring.CheckDegraded || c.Took != 5*time.Second { // It hung, until its timeout.
			t.Errorf("%+v", c)
		}
		if c := check("queue"); c.Status != monitoring.CheckDegraded {
			t.Errorf("%+v", c)
		}
		at(40 * time.Second)
		if c := check("rpc"); !c.CheckedAt.Equal(started.Add(31*time.Second)) || !c.Since.Equal(started.Add(time.Second)) {
			t.Errorf("the second check: %+v", c)
		}
		down.Store(true)
		at(130 * time.Second)
		if c := check("rpc"); c.Status != monitoring.CheckDegraded || !c.Since.Equal(started.Add(61*time.Second)) {
			t.Errorf("%+v", c)
		}
		down.Store(false)
		at(160 * time.Second)
		if c := check("rpc"); c.Status != monitoring.CheckOK {
			t.Errorf("%+v", c)
		}
		cancel()
		<-done
		// A change is logged once, not each check.
		for text, n := range map[string]int{`"a part is degraded" part=rpc error="it does not answer"`: 1, `"a part works again" part=rpc`: 1, "part=mail": 1, "part=queue": 1} {
			if got := strings.Count(log.String(), text); got != n {
				t.Errorf("%q is %d times in the log, want %d:\n%s", text, got, n, log.String())
			}
		}
	})
}

// TestMonitor_Stops: a check that a stop interrupts says nothing about its part.
func TestMonitor_Stops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		m := readiness.New([]readiness.Part{{Name: "rpc", Check: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, Interval: time.Minute, Timeout: time.Minute}},
			nil, slog.New(slog.DiscardHandler))
		done := make(chan struct{})
		go func() { defer close(done); m.Run(ctx) }()
		synctest.Wait()
		cancel()
		<-done
		if r := m.Results(); len(r) != 0 {
			t.Errorf("%+v", r)
		}
	})
}
