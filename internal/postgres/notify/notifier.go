// Package notify notifies all processes on a database of changed tenants.
package notify

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// notifyChannel is the channel on which processes notify each other of changed
// tenants.
const notifyChannel = "healthcare_tenants"

// notifyDelay is the time in which changes are collected into one notification. The
// notification is not sent in the changing transaction: a NOTIFY takes, at commit, a
// lock that all committing transactions of the server share, and commits that wait for
// the disk would run one by one.
const notifyDelay = 20 * time.Millisecond

// Notifier notifies subscribers, in all processes that have one, of changed tenants. A
// notification is only a hint: one that is lost while a connection is down is made up
// for by reading. All methods are safe for concurrent use.
type Notifier struct {
	db *pgdb.DB

	mu            sync.Mutex
	subscribers   map[uuid.UUID]map[chan struct{}]struct{}
	pending       map[uuid.UUID]struct{} // To be sent to other processes.
	pendingSignal chan struct{}
}

// New returns a notifier, which works once Run is called.
func New(db *pgdb.DB) *Notifier {
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

// Observe is a pipeline's observer: it notifies of each step.
func (n *Notifier) Observe(_ context.Context, e provisioning.Event) { n.NotifyChanged(e.Tenant.ID) }

// NotifyChanged notifies all subscribers of the tenant, here and in other processes.
// It does not block.
func (n *Notifier) NotifyChanged(tenantID uuid.UUID) {
	n.notify(tenantID)
	n.mu.Lock()
	n.pending[tenantID] = struct{}{}
	n.mu.Unlock()
	select {
	case n.pendingSignal <- struct{}{}:
	default: // A wakeup is pending already.
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
	default: // It has not read the last notification yet.
	}
}

// Run exchanges notifications with other processes until ctx ends. It reconnects after
// a lost connection and then notifies all subscribers, because notifications may have
// been missed.
func (n *Notifier) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { n.send(ctx) })
	wg.Go(func() {
		for ctx.Err() == nil {
			_ = n.listen(ctx) // Only the connection's end; ctx says whether it was intended.
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
		_, _ = n.db.Pool().Exec(ctx, `SELECT set_config('synchronous_commit', 'off', true), pg_notify('`+notifyChannel+`', tenant)
			FROM unnest($1::text[]) AS tenant`, tenantIDs)
	}
}

// closeTimeout limits the wait for the server's end of a connection.
const closeTimeout = 5 * time.Second

// listen uses its own connection until that ends.
func (n *Notifier) listen(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, n.db.Pool().Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = conn.Close(ctx)
	}()
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
