package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
)

// TestQueue_Stop_Waiting: while one caller waits for the end of the work, others can stop
// waiting.
func TestQueue_Stop_Waiting(t *testing.T) {
	w := setup(t)
	stopping, release := make(chan struct{}), make(chan struct{})
	q := w.startQueue(queue.Options{Runner: w.newProcess(), ReconcileEvery: time.Hour, Reconcile: func(ctx context.Context) error {
		<-ctx.Done()
		close(stopping)
		<-release
		return nil
	}})
	first := make(chan error, 1)
	go func() { first <- q.Stop(context.Background()) }()
	<-stopping
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	returned := make(chan [2]error, 1)
	go func() { returned <- [2]error{q.Stop(ctx), q.Start(ctx)} }()
	select {
	case failures := <-returned:
		for _, err := range failures {
			if errs.KindOf(err) != errs.KindCancelled {
				t.Errorf("%v", err)
			}
		}
	case <-time.After(20 * time.Second): // Not reached unless it waits for release.
		t.Error("the second caller waited for the first")
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// TestQueue_Stop_WithoutWaiting: a stop begins also for a caller that cannot wait.
func TestQueue_Stop_WithoutWaiting(t *testing.T) {
	w := setup(t)
	passing, stopping := make(chan struct{}), make(chan struct{})
	q := w.startQueue(queue.Options{Runner: w.newProcess(), ReconcileEvery: time.Hour, Reconcile: func(ctx context.Context) error {
		close(passing)
		<-ctx.Done()
		close(stopping)
		return nil
	}})
	<-passing
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Stop(ctx); err != nil && errs.KindOf(err) != errs.KindCancelled {
		t.Errorf("%v", err)
	}
	<-stopping
}
