package auth

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
)

// watchInterval is the time between two checks of the callers of long responses. A response
// ends at most this time and one query after its key was revoked.
const watchInterval = 400 * time.Millisecond

// watchTimeout limits the query of one check.
const watchTimeout = 2 * time.Second

// watcher ends the contexts of long responses whose key was revoked or has expired, or whose
// session has ended or timed out. It checks all of them with one query of each kind, and only while
// there are some.
type watcher struct {
	keys     KeyStore
	sessions SessionStore
	clock    clock.Clock
	logger   *slog.Logger

	querying atomic.Bool

	mu      sync.Mutex
	watched map[*watched]struct{}
	running bool // run is running.
}

// watched is one long response.
type watched struct {
	key       uuid.UUID          // uuid.Nil: a token of the issuer, or a session.
	session   access.SessionHash // Zero: no session.
	expiresAt time.Time          // Zero: never.
	end       context.CancelCauseFunc
}

// Watch returns a context that ends when the caller's key is revoked or expires, its token
// expires, or its session ends, with an *access.AuthError as its cause. An open response does not
// keep a session from timing out. The caller calls stop.
func (a *Authenticator) Watch(ctx context.Context, id Identity) (watchedCtx context.Context, stop func()) {
	ctx, end := context.WithCancelCause(ctx)
	w := &watched{key: id.key.ID, expiresAt: id.expiresAt, end: end}
	if id.Session { // Its key is checked with it.
		w.key, w.session = uuid.Nil, id.session
	}
	a.watcher.add(w)
	return ctx, func() {
		a.watcher.remove(w)
		end(nil)
	}
}

func (w *watcher) add(one *watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watched[one] = struct{}{}
	if !w.running {
		w.running = true
		go w.run()
	}
}

func (w *watcher) remove(one *watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watched, one)
}

// run checks until nothing is watched.
func (w *watcher) run() {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for range ticker.C {
		keys, sessions, more := w.endExpired()
		if !more {
			return
		}
		if len(keys)+len(sessions) > 0 && w.querying.CompareAndSwap(false, true) { // A slow query does not delay the next expiry.
			go func() {
				defer w.querying.Store(false)
				if len(keys) > 0 {
					w.endRevoked(keys)
				}
				if len(sessions) > 0 {
					w.endSessions(sessions)
				}
			}()
		}
	}
}

// endExpired ends the responses whose key or token has expired, and returns the keys and sessions
// of the others; more is false when nothing was watched.
func (w *watcher) endExpired() (keys []uuid.UUID, sessions []access.SessionHash, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	for one := range w.watched {
		switch {
		case !one.expiresAt.IsZero() && !now.Before(one.expiresAt):
			one.end(access.ExpiredWhileOpen())
		case one.key != uuid.Nil && !slices.Contains(keys, one.key):
			keys = append(keys, one.key)
		case one.session != access.SessionHash{} && !slices.Contains(sessions, one.session):
			sessions = append(sessions, one.session)
		}
	}
	w.running = len(w.watched) > 0
	return keys, sessions, w.running
}

// endRevoked ends the responses of revoked keys. While the registry does not answer, they
// stay open.
func (w *watcher) endRevoked(keys []uuid.UUID) {
	ctx, cancel := context.WithTimeout(context.Background(), watchTimeout)
	defer cancel()
	revoked, err := w.keys.FindRevoked(ctx, keys)
	if err != nil {
		w.logger.Warn("revoked API keys could not be read; open streams of theirs end later", slog.Any("error", err))
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.watched {
		if slices.Contains(revoked, one.key) {
			one.end(access.RevokedWhileOpen())
		}
	}
}

// endSessions ends the responses of sessions that ended. While the registry does not answer, they
// stay open.
func (w *watcher) endSessions(sessions []access.SessionHash) {
	ctx, cancel := context.WithTimeout(context.Background(), watchTimeout)
	defer cancel()
	ended, err := w.sessions.FindEnded(ctx, sessions)
	if err != nil {
		w.logger.Warn("ended sessions of the console could not be read; open streams of theirs end later", slog.Any("error", err))
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.watched {
		if slices.Contains(ended, one.session) {
			one.end(access.EndedWhileOpen())
		}
	}
}
