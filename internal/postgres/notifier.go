package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// notifyChannel is where processes tell each other which tenants have changed.
const notifyChannel = "healthcare_tenants"

// notifyDelay gathers what happens close together into one notification. It is
// sent apart from the change itself: a NOTIFY takes, at commit, a lock that all
// committing transactions of the server share, and the commits that wait for the
// disk would do so one by one.
const notifyDelay = 20 * time.Millisecond

// Notifier tells watchers, in all processes that have one, that a tenant has
// changed. It is a hint and no record: what is lost while a connection is down is
// found by looking. All its methods can be called by many goroutines.
type Notifier struct {
	db *DB

	mu            sync.Mutex
	subscribers   map[uuid.UUID]map[chan struct{}]struct{}
	pending       map[uuid.UUID]struct{} // To be told to others.
	pendingSignal chan struct{}
}

// NewNotifier makes a feed, which works once Run is called.
func NewNotifier(db *DB) *Notifier {
	return &Notifier{
		db: db, subscribers: map[uuid.UUID]map[chan struct{}]struct{}{},
		pending: map[uuid.UUID]struct{}{}, pendingSignal: make(chan struct{}, 1),
	}
}

// Watch implements events.ChangeNotifier.
func (n *Notifier) Watch(tenantID uuid.UUID) (changed <-chan struct{}, stop func()) {
	subscriber := make(chan struct{}, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.subscribers[tenantID] == nil {
		n.subscribers[tenantID] = map[chan struct{}]struct{}{}
	}
	n.subscribers[tenantID][subscriber] = struct{}{}
	return subscriber, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.subscribers[tenantID], subscriber)
		if len(n.subscribers[tenantID]) == 0 {
			delete(n.subscribers, tenantID)
		}
	}
}

// Observe is a pipeline's observer: it tells of each step.
func (n *Notifier) Observe(_ context.Context, e provisioning.Event) { n.NotifyChanged(e.Tenant.ID) }

// NotifyChanged tells everybody who watches the tenant, here and elsewhere. It does
// not wait for anything.
func (n *Notifier) NotifyChanged(tenantID uuid.UUID) {
	n.notify(tenantID)
	n.mu.Lock()
	n.pending[tenantID] = struct{}{}
	n.mu.Unlock()
	select {
	case n.pendingSignal <- struct{}{}:
	default: // It is awake.
	}
}

func (n *Notifier) notify(tenantID uuid.UUID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for subscriber := range n.subscribers[tenantID] {
		wake(subscriber)
	}
}

func wake(subscriber chan struct{}) {
	select {
	case subscriber <- struct{}{}:
	default: // It has not yet looked since the last time.
	}
}

// Run carries notifications to and from other processes until ctx ends. A lost
// connection is made again; then everybody looks, for nobody knows what was missed.
func (n *Notifier) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { n.send(ctx) })
	wg.Go(func() {
		for ctx.Err() == nil {
			_ = n.listen(ctx) // Only the connection's end, and ctx tells whether we meant it.
			if (clock.System{}).Sleep(ctx, time.Second) != nil {
				return
			}
		}
	})
	wg.Wait()
}

func (n *Notifier) send(ctx context.Context) {
	for {
		select {
		case <-n.pendingSignal:
		case <-ctx.Done():
			return
		}
		if (clock.System{}).Sleep(ctx, notifyDelay) != nil {
			return
		}
		n.mu.Lock()
		tenantIDs := make([]string, 0, len(n.pending))
		for id := range n.pending {
			tenantIDs = append(tenantIDs, id.String())
		}
		clear(n.pending)
		n.mu.Unlock()
		// Lost when the registry does not answer; then nothing changes there either.
		_, _ = n.db.pool.Exec(ctx, `SELECT set_config('synchronous_commit', 'off', true), pg_notify('`+notifyChannel+`', tenant)
			FROM unnest($1::text[]) AS tenant`, tenantIDs)
	}
}

// listen uses a connection of its own, for as long as it lasts.
func (n *Notifier) listen(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, n.db.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, `LISTEN `+notifyChannel); err != nil {
		return err
	}
	n.broadcast()
	for {
		notification, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if id, err := uuid.Parse(notification.Payload); err == nil {
			n.notify(id)
		}
	}
}

func (n *Notifier) broadcast() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, subscribers := range n.subscribers {
		for subscriber := range subscribers {
			wake(subscriber)
		}
	}
}
