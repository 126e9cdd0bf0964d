package access

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// SnapshotAge is how old a Snapshot's copy of the keys can be. A key that is made
// meanwhile is not in it.
const SnapshotAge = 5 * time.Second

// snapshotTimeout bounds one read of all keys.
const snapshotTimeout = 5 * time.Second

// Snapshot finds keys in a copy in memory, which it reads from the store when it is
// asked and the copy is older than SnapshotAge. However many tokens are held against
// it, the store is read once in that time. It may be used by many goroutines.
type Snapshot struct {
	store   Lister
	clock   clock.Clock
	reading singleflight.Group // Callers wait for one read together, each as long as its context lasts.

	mu     sync.Mutex
	keys   map[string]Key // By prefix. Nil until they were read.
	err    error          // Of the last read.
	readAt time.Time      // When that was.
}

// Lister lists all keys.
type Lister interface {
	List(ctx context.Context) ([]Key, error)
}

// NewSnapshot makes a Snapshot of a store. It reads nothing yet.
func NewSnapshot(store Lister, clock clock.Clock) *Snapshot {
	return &Snapshot{store: store, clock: clock}
}

// FindByPrefix returns KindNotFound for a prefix that no key of the copy has. A store that
// cannot be read leaves the copy as it is; without one, Find returns its error.
func (s *Snapshot) FindByPrefix(ctx context.Context, prefix string) (Key, error) {
	keys, err, current := s.copied()
	if !current {
		read := s.reading.DoChan("", func() (any, error) {
			s.read(context.WithoutCancel(ctx)) // Others wait for it, too.
			return nil, nil
		})
		select {
		case <-read:
		case <-ctx.Done():
			return Key{}, ctx.Err()
		}
		keys, err, _ = s.copied()
	}
	if keys == nil {
		return Key{}, err
	}
	key, found := keys[prefix]
	if !found {
		return Key{}, errs.Errorf(errs.KindNotFound, "find API key", "there is no API key %s", prefix)
	}
	return key, nil
}

// copied gives the copy, and whether it is young enough.
func (s *Snapshot) copied() (keys map[string]Key, err error, current bool) { //nolint:revive // the error is the copy's, as the keys are
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, s.err, !s.readAt.IsZero() && s.clock.Now().Sub(s.readAt) < SnapshotAge
}

func (s *Snapshot) read(ctx context.Context) {
	if _, _, current := s.copied(); current {
		return // Another read ended between the caller's look and now.
	}
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	all, err := s.store.List(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.readAt = err, s.clock.Now()
	if err != nil {
		return
	}
	s.keys = make(map[string]Key, len(all))
	for _, k := range all {
		s.keys[k.Prefix] = k
	}
}
