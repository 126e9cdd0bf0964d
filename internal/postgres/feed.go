package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// channel is where processes tell each other which tenants have changed.
const channel = "healthcare_tenants"

// notifyPause gathers what happens close together into one notification. It is
// sent apart from the change itself: a NOTIFY takes, at commit, a lock that all
// committing transactions of the server share, and the commits that wait for the
// disk would do so one by one.
const notifyPause = 20 * time.Millisecond

// Feed tells watchers, in all processes that have one, that a tenant has
// changed. It is a hint and no record: what is lost while a connection is down is
// found by looking. All its methods can be called by many goroutines.
type Feed struct {
	db *DB

	mu       sync.Mutex
	watchers map[uuid.UUID]map[chan struct{}]struct{}
	changed  map[uuid.UUID]struct{} // To be told to others.
	wake     chan struct{}
}

// NewFeed makes a feed, which works once Run is called.
func NewFeed(db *DB) *Feed {
	return &Feed{
		db: db, watchers: map[uuid.UUID]map[chan struct{}]struct{}{},
		changed: map[uuid.UUID]struct{}{}, wake: make(chan struct{}, 1),
	}
}

// Watch implements provisioning.Watcher.
func (f *Feed) Watch(tenant uuid.UUID) (changed <-chan struct{}, stop func()) {
	own := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers[tenant] == nil {
		f.watchers[tenant] = map[chan struct{}]struct{}{}
	}
	f.watchers[tenant][own] = struct{}{}
	return own, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers[tenant], own)
		if len(f.watchers[tenant]) == 0 {
			delete(f.watchers, tenant)
		}
	}
}

// Observe is a pipeline's observer: it tells of each step.
func (f *Feed) Observe(_ context.Context, e provisioning.Event) { f.Changed(e.Tenant.ID) }

// Changed tells everybody who watches the tenant, here and elsewhere. It does
// not wait for anything.
func (f *Feed) Changed(tenant uuid.UUID) {
	f.tell(tenant)
	f.mu.Lock()
	f.changed[tenant] = struct{}{}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default: // It is awake.
	}
}

func (f *Feed) tell(tenant uuid.UUID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for own := range f.watchers[tenant] {
		nudge(own)
	}
}

func nudge(own chan struct{}) {
	select {
	case own <- struct{}{}:
	default: // It has not yet looked since the last time.
	}
}

// Run carries notifications to and from other processes until ctx ends. A lost
// connection is made again; then everybody looks, for nobody knows what was missed.
func (f *Feed) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { f.send(ctx) })
	both.Go(func() {
		for ctx.Err() == nil {
			_ = f.listen(ctx) // Only the connection's end, and ctx tells whether we meant it.
			if (provisioning.SystemClock{}).Sleep(ctx, time.Second) != nil {
				return
			}
		}
	})
	both.Wait()
}

func (f *Feed) send(ctx context.Context) {
	for {
		select {
		case <-f.wake:
		case <-ctx.Done():
			return
		}
		if (provisioning.SystemClock{}).Sleep(ctx, notifyPause) != nil {
			return
		}
		f.mu.Lock()
		tenants := make([]string, 0, len(f.changed))
		for id := range f.changed {
			tenants = append(tenants, id.String())
		}
		clear(f.changed)
		f.mu.Unlock()
		// Lost when the registry does not answer; then nothing changes there either.
		_, _ = f.db.pool.Exec(ctx, `SELECT set_config('synchronous_commit', 'off', true), pg_notify('`+channel+`', tenant)
			FROM unnest($1::text[]) AS tenant`, tenants)
	}
}

// listen uses a connection of its own, for as long as it lasts.
func (f *Feed) listen(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, f.db.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		return err
	}
	f.everybody()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if id, err := uuid.Parse(n.Payload); err == nil {
			f.tell(id)
		}
	}
}

func (f *Feed) everybody() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, all := range f.watchers {
		for own := range all {
			nudge(own)
		}
	}
}
