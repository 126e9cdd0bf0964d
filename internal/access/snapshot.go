package access

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// SnapshotAge is the maximum age of a Snapshot's copy of the keys. The copy does not
// contain keys that were created after it was read.
const SnapshotAge = 5 * time.Second

// snapshotTimeout limits one read of all keys.
const snapshotTimeout = 5 * time.Second

// Snapshot finds keys in a copy in memory. It reads the copy from the store when a lookup
// finds it older than SnapshotAge: however many tokens arrive, one read in that time. It is
// safe for concurrent use.
type Snapshot struct {
	store   Lister
	clock   clock.Clock
	reading singleflight.Group // Concurrent callers share one read; each waits until its context ends.

	mu     sync.Mutex
	keys   map[string]Key // By prefix. Nil before the first read.
	err    error          // Of the last read.
	readAt time.Time      // Time of the last read.
}

// Lister lists all keys.
type Lister interface {
	List(ctx context.Context) ([]Key, error)
}

// NewSnapshot returns a Snapshot of a store. It does not read the store yet.
func NewSnapshot(store Lister, clock clock.Clock) *Snapshot {
	return &Snapshot{store: store, clock: clock}
}

// FindByPrefix returns KindNotFound for a prefix that is not in the copy. If the store
// cannot be read, the old copy stays in use; without one, FindByPrefix returns the store's
// error.
func (s *Snapshot) FindByPrefix(ctx context.Context, prefix string) (Key, error) {
	keys, err, current := s.copied()
	if !current {
		read := s.reading.DoChan("", func() (any, error) {
			s.read(context.WithoutCancel(ctx)) // Other callers wait for this read, too.
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
		return Key{}, errs.Errorf(errs.KindNotFound, "find API key", "no API key has the prefix %s", prefix)
	}
	return key, nil
}

// copied returns the copy and whether it is recent enough.
func (s *Snapshot) copied() (keys map[string]Key, err error, current bool) { //nolint:revive // the error belongs to the copy, as the keys do
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, s.err, !s.readAt.IsZero() && s.clock.Now().Sub(s.readAt) < SnapshotAge
}

func (s *Snapshot) read(ctx context.Context) {
	if _, _, current := s.copied(); current {
		return // Another read ended after the caller's check.
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
