package access

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// SnapshotAge is the maximum age of a copy of keys or sessions. The copy does not contain what was
// created after it was read.
const SnapshotAge = 5 * time.Second

// snapshotTimeout limits one read of all keys or sessions.
const snapshotTimeout = 5 * time.Second

// Snapshot finds keys in a copy in memory. It reads the copy from the store when a lookup
// finds it older than SnapshotAge: however many tokens arrive, one read in that time. It is
// safe for concurrent use.
type Snapshot struct{ copied *snapshot[string, Key] }

// Lister lists all keys.
type Lister interface {
	List(ctx context.Context) ([]Key, error)
}

// NewSnapshot returns a Snapshot of a store. It does not read the store yet.
func NewSnapshot(store Lister, clock clock.Clock) *Snapshot {
	return &Snapshot{&snapshot[string, Key]{clock: clock, load: func(ctx context.Context) (map[string]Key, error) {
		all, err := store.List(ctx)
		keys := make(map[string]Key, len(all))
		for _, k := range all {
			keys[k.Prefix] = k
		}
		return keys, err
	}}}
}

// FindByPrefix returns KindNotFound for a prefix that is not in the copy. If the store
// cannot be read, the old copy stays in use; without one, FindByPrefix returns the store's
// error.
func (s *Snapshot) FindByPrefix(ctx context.Context, prefix string) (Key, error) {
	key, found, err := s.copied.find(ctx, prefix)
	if err == nil && !found {
		err = errs.Errorf(errs.KindNotFound, "find API key", "no API key has the prefix %s", prefix)
	}
	return key, err
}

// maxSnapshotSessions is how many sessions a SessionSnapshot has. More people are not signed in.
const maxSnapshotSessions = 10_000

// SessionSnapshot is for sessions what Snapshot is for keys. It knows only which exist.
type SessionSnapshot struct {
	copied *snapshot[SessionHash, struct{}]
}

// NewSessionSnapshot returns a SessionSnapshot of a store. It does not read the store yet.
func NewSessionSnapshot(store SessionLister, clock clock.Clock) *SessionSnapshot {
	return &SessionSnapshot{&snapshot[SessionHash, struct{}]{clock: clock, load: func(ctx context.Context) (map[SessionHash]struct{}, error) {
		all, err := store.List(ctx, maxSnapshotSessions)
		hashes := make(map[SessionHash]struct{}, len(all))
		for _, hash := range all {
			hashes[hash] = struct{}{}
		}
		return hashes, err
	}}}
}

// Check returns an *AuthError for a token whose session is not in the copy. If the store cannot be
// read, the old copy stays in use; without one, Check returns the store's error.
func (s *SessionSnapshot) Check(ctx context.Context, token string) error {
	hash, ok := ParseSession(token)
	if !ok {
		return malformedSession()
	}
	_, found, err := s.copied.find(ctx, hash)
	if err == nil && !found {
		return endedSession()
	}
	return err
}

// Add adds a session that was just made, so that it need not wait for the next copy.
func (s *SessionSnapshot) Add(hash SessionHash) { s.copied.add(hash, struct{}{}) }

// snapshot is a copy of the values of a store by key.
type snapshot[K comparable, V any] struct {
	load    func(ctx context.Context) (map[K]V, error)
	clock   clock.Clock
	reading singleflight.Group // Concurrent callers share one read; each waits until its context ends.

	mu     sync.Mutex
	values map[K]V   // Nil before the first read.
	err    error     // Of the last read.
	readAt time.Time // Time of the last read.
}

// find returns a value of the copy, which it reads again if it is too old.
func (s *snapshot[K, V]) find(ctx context.Context, key K) (value V, found bool, err error) {
	if !s.isCurrent() {
		read := s.reading.DoChan("", func() (any, error) {
			s.read(context.WithoutCancel(ctx)) // Other callers wait for this read, too.
			return nil, nil
		})
		select {
		case <-read:
		case <-ctx.Done():
			return value, false, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		return value, false, s.err
	}
	value, found = s.values[key]
	return value, found, nil
}

// isCurrent reports whether the copy is recent enough.
func (s *snapshot[K, V]) isCurrent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.readAt.IsZero() && s.clock.Now().Sub(s.readAt) < SnapshotAge
}

func (s *snapshot[K, V]) read(ctx context.Context) {
	if s.isCurrent() {
		return // Another read ended after the caller's check.
	}
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	values, err := s.load(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.readAt = err, s.clock.Now()
	if err == nil {
		s.values = values
	}
}

// add adds a value to a copy that was read. A read that is running may miss it, which the next one
// does not.
func (s *snapshot[K, V]) add(key K, value V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values != nil {
		s.values[key] = value
	}
}
