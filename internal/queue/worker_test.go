package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
)

func TestToRiverError(t *testing.T) {
	t.Parallel()
	now := time.Now()
	leased := func(until time.Duration) error {
		err := errs.Errorf(errs.KindConflict, "claim", "somebody has it")
		err.Lease = &errs.LeaseInfo{Epoch: 1, Until: now.Add(until)}
		return err
	}
	errorOf := func(kind errs.Kind) error {
		return errs.Wrap(errors.New("hidden"), kind, "op", "the words for people")
	}
	expiredCtx, end := context.WithTimeout(t.Context(), 0)
	defer end()
	<-expiredCtx.Done()
	for _, c := range []struct {
		name     string
		ctx      context.Context
		err      error
		want     string // done, retry, cancel or snooze.
		min, max time.Duration
	}{
		{"Success", nil, nil, "done", 0, 0},
		{"LeasedShortly", nil, leased(time.Second), "snooze", time.Second, 2 * time.Second},
		{"LeasedForLong", nil, leased(time.Minute), "snooze", 4 * time.Second, 5 * time.Second},
		{"LeasedWithClockSkew", nil, leased(-time.Minute), "snooze", 50 * time.Millisecond, time.Second},
		{"NothingToDo", nil, errorOf(errs.KindConflict), "done", 0, 0},
		{"Fenced", nil, errorOf(errs.KindFenced), "snooze", 4 * time.Second, 5 * time.Second},
		{"Stopped", nil, errorOf(errs.KindCancelled), "snooze", 0, 0},
		{"TimedOut", expiredCtx, errorOf(errs.KindCancelled), "retry", 0, 0},
		{"Transient", nil, errorOf(errs.KindTransient), "retry", 0, 0},
		{"Permanent", nil, errorOf(errs.KindPermanent), "cancel", 0, 0},
		{"Invalid", nil, errorOf(errs.KindInvalid), "cancel", 0, 0},
		{"NotFound", nil, errorOf(errs.KindNotFound), "cancel", 0, 0},
		{"Unclassified", nil, errors.New("hidden"), "cancel", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx := c.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			var (
				got    = queue.ToRiverError(ctx, c.err, now)
				snooze *river.JobSnoozeError
				cancel *river.JobCancelError
				action = "retry"
			)
			switch {
			case got == nil:
				action = "done"
			case errors.As(got, &snooze):
				action = "snooze"
				if snooze.Duration < c.min || snooze.Duration > c.max {
					t.Errorf("for %v", snooze.Duration)
				}
			case errors.As(got, &cancel):
				action = "cancel"
			}
			if action != c.want {
				t.Errorf("%s, want %s: %v", action, c.want, got)
			}
			if strings.Contains(fmt.Sprint(got), "hidden") {
				t.Errorf("the cause gets out: %v", got)
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for attempt, seconds := range map[int]int{0: 5, 1: 5, 2: 10, 3: 20, 4: 40, 5: 80, 100: 80} {
		want := time.Duration(seconds) * time.Second
		low, high := want*4/5, want*6/5
		seen := map[time.Duration]bool{}
		for range 50 {
			got := queue.RetryDelay(attempt)
			if got < low || got > high {
				t.Errorf("after attempt %d: %v, want %v to %v", attempt, got, low, high)
			}
			seen[got] = true
		}
		if len(seen) < 2 {
			t.Errorf("after attempt %d there is no jitter", attempt)
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	url := "postgres://u:hidden-password@127.0.0.1:1/x"
	for name, c := range map[string]struct {
		change func(*queue.Options)
		word   string
	}{
		"URL":            {func(o *queue.Options) { o.URL = "postgres://u:hidden-password@:x:y" }, "DATABASE_URL"},
		"MaxConnections": {func(o *queue.Options) { o.MaxConnections = 1 }, "MaxConnections is 1; give 2"},
		"Workers":        {func(o *queue.Options) { o.Workers = -1 }, "Workers is -1; give 1"},
		"JobTimeout":     {func(o *queue.Options) { o.JobTimeout = time.Millisecond }, "JobTimeout is 1ms; give"},
		"ReconcileEvery": {func(o *queue.Options) { o.ReconcileEvery = -1 }, "ReconcileEvery"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := queue.Options{URL: url}
			c.change(&o)
			q, err := queue.Open(t.Context(), o)
			if err == nil {
				q.Close()
			}
			if errs.KindOf(err) != errs.KindInvalid || !strings.Contains(errs.SafeMessage(err), c.word) ||
				strings.Contains(fmt.Sprintf("%v %+v", err, o), "hidden-password") {
				t.Errorf("%v, %+v", err, o)
			}
		})
	}
	t.Run("HidesPassword", func(t *testing.T) {
		t.Parallel()
		o := queue.Options{URL: url}
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(format, o); strings.Contains(text, "hidden-password") {
				t.Errorf("%s shows %s", format, text)
			}
		}
	})
}
