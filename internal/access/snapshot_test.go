package access_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// listed is a store with given keys that counts its reads.
type listed struct {
	access.Store
	mu    sync.Mutex
	lists int
	list  func(ctx context.Context) ([]access.Key, error)
}

func (l *listed) List(ctx context.Context) ([]access.Key, error) {
	l.mu.Lock()
	l.lists++
	list := l.list
	l.mu.Unlock()
	return list(ctx)
}

// stopwatch is a clock that only moves on request.
type stopwatch struct {
	mu  sync.Mutex
	now time.Time
}

func (s *stopwatch) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *stopwatch) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *stopwatch) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func TestSnapshot(t *testing.T) {
	t.Parallel()
	key, token, err := access.NewKey(access.KeyRequest{Name: "ci", Scopes: access.Scopes()}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	setup := func() (*access.Snapshot, *listed, *stopwatch) {
		store := &listed{list: func(context.Context) ([]access.Key, error) { return []access.Key{key}, nil }}
		clock := &stopwatch{now: time.Now()}
		return access.NewSnapshot(store, clock), store, clock
	}
	t.Run("ReadsOncePerSnapshotAge", func(t *testing.T) {
		t.Parallel()
		s, store, clock := setup()
		for range 100 {
			if got, err := access.Verify(t.Context(), s, token.Reveal(), clock.Now()); err != nil || got.ID != key.ID {
				t.Fatalf("%+v, %v", got, err)
			}
			_, err := access.Verify(t.Context(), s, unknownToken, clock.Now())
			var rejection *access.AuthError
			if !errors.As(err, &rejection) || rejection.Reason != "unknown key" {
				t.Fatal(err)
			}
		}
		clock.pass(access.SnapshotAge)
		_, _ = s.FindByPrefix(t.Context(), "aaaaaaaaaaaa")
		if store.lists != 2 {
			t.Errorf("%d reads", store.lists)
		}
	})
	t.Run("KeepsCopyWhileStoreFails", func(t *testing.T) {
		t.Parallel()
		s, store, clock := setup()
		works := store.list
		fails := errs.Errorf(errs.KindTransient, "list", "gone")
		store.list = func(context.Context) ([]access.Key, error) { return nil, fails }
		for range 3 {
			if _, err := s.FindByPrefix(t.Context(), key.Prefix); !errors.Is(err, fails) {
				t.Error(err)
			}
		}
		if store.lists != 1 {
			t.Errorf("%d reads", store.lists)
		}
		for _, list := range []func(context.Context) ([]access.Key, error){works, store.list} {
			store.list = list
			clock.pass(access.SnapshotAge)
			if _, err := s.FindByPrefix(t.Context(), key.Prefix); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("SharesReadAndHonoursCancel", func(t *testing.T) {
		t.Parallel()
		s, store, _ := setup()
		begun, proceed := make(chan struct{}), make(chan struct{})
		store.list = func(ctx context.Context) ([]access.Key, error) {
			close(begun) // A second read would panic.
			<-proceed
			return []access.Key{key}, ctx.Err()
		}
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() { _, err := s.FindByPrefix(ctx, key.Prefix); left <- err }()
		<-begun
		var others sync.WaitGroup
		for range 10 {
			others.Go(func() {
				if _, err := s.FindByPrefix(t.Context(), key.Prefix); err != nil {
					t.Error(err)
				}
			})
		}
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(proceed)
		others.Wait()
	})
}
