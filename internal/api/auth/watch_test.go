package auth

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// watchedStore has keys that a test revokes.
type watchedStore struct {
	KeyStore
	mu      sync.Mutex
	revoked []uuid.UUID
	ended   []access.SessionHash
	err     error
	queries int
}

// watchedSessions are the sessions of a watchedStore.
type watchedSessions struct {
	SessionStore
	*watchedStore
}

func (s watchedSessions) FindEnded(_ context.Context, hashes []access.SessionHash) ([]access.SessionHash, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries++
	var found []access.SessionHash
	for _, hash := range hashes {
		if slices.Contains(s.ended, hash) {
			found = append(found, hash)
		}
	}
	return found, s.err
}

func (s *watchedStore) endSession(hash access.SessionHash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, hash)
}

func (s *watchedStore) FindRevoked(_ context.Context, ids []uuid.UUID) ([]uuid.UUID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries++
	var found []uuid.UUID
	for _, id := range ids {
		if slices.Contains(s.revoked, id) {
			found = append(found, id)
		}
	}
	return found, s.err
}

func (s *watchedStore) set(err error, revoked ...uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.revoked = err, revoked
}

// The sleeps are in a bubble of synctest, whose time passes at once.
func TestAuthenticator_Watch(t *testing.T) {
	t.Parallel()
	// test runs f with fake time.
	test := func(name string, f func(t *testing.T, a *Authenticator, store *watchedStore)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &watchedStore{}
				f(t, New(Options{Keys: store, Sessions: watchedSessions{watchedStore: store}, Clock: clock.System{}, Logger: slog.New(slog.DiscardHandler)}), store)
				time.Sleep(2 * watchInterval) // Until the watcher has ended.
			})
		})
	}
	ended := func(ctx context.Context) string {
		synctest.Wait()
		var authErr *access.AuthError
		if errors.As(context.Cause(ctx), &authErr) {
			return authErr.Reason
		}
		return ""
	}
	test("EndsWithinASecondOfRevocation", func(t *testing.T, a *Authenticator, store *watchedStore) {
		key, other := uuid.New(), uuid.New()
		ctx, stop := a.Watch(t.Context(), Identity{key: access.Key{ID: key}})
		defer stop()
		others, stopOthers := a.Watch(t.Context(), Identity{key: access.Key{ID: other}})
		defer stopOthers()
		time.Sleep(10 * time.Minute)
		if got := ended(ctx); got != "" {
			t.Fatalf("ended: %s", got)
		}
		store.set(nil, key)
		time.Sleep(time.Second)
		if got := ended(ctx); got != "revoked" {
			t.Errorf("ended: %q", got)
		}
		if got := ended(others); got != "" {
			t.Errorf("the other ended: %s", got)
		}
	})
	test("EndsWithinASecondOfExpiry", func(t *testing.T, a *Authenticator, store *watchedStore) {
		store.set(errs.Errorf(errs.KindTransient, "read", "the registry does not answer"))
		token, stop := a.Watch(t.Context(), Identity{expiresAt: time.Now().Add(time.Hour)})
		defer stop()
		key, stopKey := a.Watch(t.Context(), Identity{key: access.Key{ID: uuid.New()}, expiresAt: time.Now().Add(time.Hour)})
		defer stopKey()
		time.Sleep(59 * time.Minute)
		if got := ended(token) + ended(key); got != "" {
			t.Fatalf("ended: %s", got)
		}
		time.Sleep(time.Minute + time.Second)
		if got := ended(token) + " " + ended(key); got != "expired expired" {
			t.Errorf("ended: %q", got)
		}
	})
	test("EndsWithinASecondOfTheSession", func(t *testing.T, a *Authenticator, store *watchedStore) {
		key := access.Key{ID: uuid.New()}
		store.set(nil, key.ID) // The registry counts that for the session.
		ctx, stop := a.Watch(t.Context(), Identity{Session: true, key: key, session: access.SessionHash{1}})
		defer stop()
		others, stopOthers := a.Watch(t.Context(), Identity{Session: true, session: access.SessionHash{2}})
		defer stopOthers()
		time.Sleep(10 * time.Minute)
		if got := ended(ctx); got != "" {
			t.Fatalf("ended: %s", got)
		}
		store.endSession(access.SessionHash{1})
		time.Sleep(time.Second)
		if got := ended(ctx); got != "ended session" {
			t.Errorf("ended: %q", got)
		}
		if got := ended(others); got != "" {
			t.Errorf("the other ended: %s", got)
		}
	})
	test("QueriesOnceForAllAndOnlyWhileWatching", func(t *testing.T, a *Authenticator, store *watchedStore) {
		id := Identity{key: access.Key{ID: uuid.New()}}
		var stops []func()
		for range 50 {
			_, stop := a.Watch(t.Context(), id)
			stops = append(stops, stop)
		}
		time.Sleep(10*watchInterval + watchInterval/2)
		for _, stop := range stops {
			stop()
		}
		synctest.Wait()
		time.Sleep(time.Hour)
		if store.queries != 10 {
			t.Errorf("%d queries", store.queries)
		}
		ctx, stop := a.Watch(t.Context(), id)
		defer stop()
		store.set(nil, id.key.ID)
		time.Sleep(time.Second)
		if got := ended(ctx); got != "revoked" {
			t.Errorf("ended: %q", got)
		}
	})
	test("StopIsNoRevocation", func(t *testing.T, a *Authenticator, _ *watchedStore) {
		ctx, stop := a.Watch(t.Context(), Identity{key: access.Key{ID: uuid.New()}})
		stop()
		if got := ended(ctx); got != "" || ctx.Err() == nil {
			t.Errorf("ended: %q, %v", got, ctx.Err())
		}
	})
}
