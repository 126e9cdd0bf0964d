package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
)

func TestVerdict(t *testing.T) {
	t.Parallel()
	now := time.Now()
	held := func(until time.Duration) error {
		err := provisioning.Errorf(provisioning.KindConflict, "claim", "somebody has it")
		err.Lease = &provisioning.LeaseInfo{Epoch: 1, Until: now.Add(until)}
		return err
	}
	of := func(kind provisioning.Kind) error {
		return provisioning.Wrap(errors.New("hidden"), kind, "op", "the words for people")
	}
	late, end := context.WithTimeout(t.Context(), 0)
	defer end()
	<-late.Done()
	for _, c := range []struct {
		name     string
		ctx      context.Context
		err      error
		want     string // done, retry, cancel or snooze.
		min, max time.Duration
	}{
		{"Success", nil, nil, "done", 0, 0},
		{"HeldAMoment", nil, held(time.Second), "snooze", time.Second, 2 * time.Second},
		{"HeldForLong", nil, held(time.Minute), "snooze", 4 * time.Second, 5 * time.Second},
		{"HeldByAClockThatIsBehind", nil, held(-time.Minute), "snooze", 50 * time.Millisecond, time.Second},
		{"AtRest", nil, of(provisioning.KindConflict), "done", 0, 0},
		{"Fenced", nil, of(provisioning.KindFenced), "snooze", 4 * time.Second, 5 * time.Second},
		{"Stopped", nil, of(provisioning.KindCancelled), "snooze", 0, 0},
		{"OutOfTime", late, of(provisioning.KindCancelled), "retry", 0, 0},
		{"Transient", nil, of(provisioning.KindTransient), "retry", 0, 0},
		{"Permanent", nil, of(provisioning.KindPermanent), "cancel", 0, 0},
		{"Invalid", nil, of(provisioning.KindInvalid), "cancel", 0, 0},
		{"NotFound", nil, of(provisioning.KindNotFound), "cancel", 0, 0},
		{"Unclassified", nil, errors.New("hidden"), "cancel", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx := c.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			var (
				got    = queue.Verdict(ctx, c.err, now)
				snooze *river.JobSnoozeError
				cancel *river.JobCancelError
				is     = "retry"
			)
			switch {
			case got == nil:
				is = "done"
			case errors.As(got, &snooze):
				is = "snooze"
				if snooze.Duration < c.min || snooze.Duration > c.max {
					t.Errorf("for %v", snooze.Duration)
				}
			case errors.As(got, &cancel):
				is = "cancel"
			}
			if is != c.want {
				t.Errorf("%s, want %s: %v", is, c.want, got)
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
			got := queue.Pause(attempt)
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
			if provisioning.KindOf(err) != provisioning.KindInvalid || !strings.Contains(provisioning.SafeMessage(err), c.word) ||
				strings.Contains(fmt.Sprintf("%v %+v", err, o), "hidden-password") {
				t.Errorf("%v, %+v", err, o)
			}
		})
	}
	t.Run("ShowsNoPassword", func(t *testing.T) {
		t.Parallel()
		o := queue.Options{URL: url}
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(format, o); strings.Contains(text, "hidden-password") {
				t.Errorf("%s shows %s", format, text)
			}
		}
	})
}
