package rpc

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

func TestSharedCall(t *testing.T) {
	t.Parallel()
	t.Run("RetriesInParallelToHangingCall", func(t *testing.T) {
		t.Parallel()
		var calls atomic.Int32
		ended := make(chan struct{})
		s := &sharedCall[int]{slowAfter: time.Nanosecond, fetch: func(ctx context.Context) (int, error) {
			if calls.Add(1) == 1 {
				defer close(ended)
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return 5, nil
		}}
		if got, err := s.do(t.Context(), "test"); got != 5 || err != nil {
			t.Errorf("%d, %v", got, err)
		}
		<-ended // The other attempt's response ends the call that hangs.
	})
	t.Run("LimitsAttempts", func(t *testing.T) {
		t.Parallel()
		calls, answer := make(chan struct{}, 2*maxSharedTries), make(chan struct{})
		s := &sharedCall[int]{slowAfter: time.Nanosecond, fetch: func(context.Context) (int, error) {
			calls <- struct{}{}
			<-answer
			return 0, errors.New("late")
		}}
		done := make(chan error)
		go func() { _, err := s.do(t.Context(), "test"); done <- err }()
		for range maxSharedTries {
			<-calls
		}
		close(answer)
		if err := <-done; err == nil || len(calls) != 0 {
			t.Errorf("%v, %d tries too many", err, len(calls))
		}
	})
	t.Run("CallersShareOneCall", func(t *testing.T) {
		t.Parallel()
		answer, ended := make(chan struct{}), make(chan struct{})
		var calls atomic.Int32
		s := &sharedCall[int]{slowAfter: time.Hour, fetch: func(ctx context.Context) (int, error) {
			calls.Add(1)
			select {
			case <-answer:
			case <-ctx.Done():
				close(ended)
			}
			return 5, ctx.Err()
		}}
		waitFor := func(callers int) {
			for n := 0; n != callers; time.Sleep(time.Millisecond) {
				s.mu.Lock()
				if s.current != nil {
					n = s.current.callers
				}
				s.mu.Unlock()
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		left, stays := make(chan error), make(chan error)
		go func() { _, err := s.do(ctx, "test"); left <- err }()
		waitFor(1)
		go func() { _, err := s.do(t.Context(), "test"); stays <- err }()
		waitFor(2)
		cancel()
		if err := <-left; errs.KindOf(err) != errs.KindCancelled {
			t.Errorf("%v", err)
		}
		close(answer)
		if err := <-stays; err != nil || calls.Load() != 1 {
			t.Errorf("%v after %d calls", err, calls.Load())
		}
		answer = make(chan struct{})
		again, cancel := context.WithCancel(t.Context())
		go func() { _, err := s.do(again, "test"); left <- err }()
		waitFor(1)
		cancel()
		if err := <-left; errs.KindOf(err) != errs.KindCancelled {
			t.Errorf("%v", err)
		}
		<-ended // No caller waits for it any more.
	})
}
