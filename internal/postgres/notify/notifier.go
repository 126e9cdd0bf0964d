// Package notify notifies all processes on a database of changed tenants.
//
// Every login of the database can send on the channel and listen to it. So a notification
// says nothing and is not trusted: it has no payload, and a process that receives one reads
// which of its tenants changed, in one statement and at most once in lookInterval. Nothing
// depends on notifications: the change of a lost one is seen with the next, and subscribers
// also poll.
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

// Limits of looks for changes, which any login of the database can cause.
const (
	lookInterval = 20 * time.Millisecond // From the end of one to the start of the next.
	lookTimeout  = 5 * time.Second
)

// Notifier notifies subscribers, in all processes that have one, of changed tenants. A
// notification is only a hint: one that is lost while a connection is down is made up
// for by reading. All methods are safe for concurrent use.
type Notifier struct {
	db *pgdb.DB

	mu      sync.Mutex
	watches map[uuid.UUID]*watch

	changed  signal // Other processes are to be notified.
	received signal // A notification was received.
}

// watch is a tenant with subscribers.
type watch struct {
	subscribers map[signal]struct{}
	seen        *version // At the last look; nil: there was none since the watch began.
}

// version differs after each change that subscribers read: of the tenant's row, and of the
// log of its attempt.
type version struct{ row, log int64 }

// signal is a channel for one value: a signal that was not received yet stands for later
// ones, too.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) set() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// New returns a notifier, which works once Run is called.
func New(db *pgdb.DB) *Notifier {
	return &Notifier{db: db, watches: map[uuid.UUID]*watch{}, changed: newSignal(), received: newSignal()}
}

// Watch implements events.ChangeNotifier.
func (n *Notifier) Watch(tenantID uuid.UUID) (changed <-chan struct{}, stop func()) {
	subscriber := newSignal()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.watches[tenantID] == nil {
		n.watches[tenantID] = &watch{subscribers: map[signal]struct{}{}}
	}
	n.watches[tenantID].subscribers[subscriber] = struct{}{}
	return subscriber, sync.OnceFunc(func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		w := n.watches[tenantID]
		if delete(w.subscribers, subscriber); len(w.subscribers) == 0 {
			delete(n.watches, tenantID)
		}
	})
}

// Observe is a pipeline's observer: it notifies of each step.
func (n *Notifier) Observe(_ context.Context, e provisioning.Event) { n.NotifyChanged(e.Tenant.ID) }

// NotifyChanged notifies all subscribers of the tenant, here and in other processes.
// It does not block.
func (n *Notifier) NotifyChanged(tenantID uuid.UUID) {
	n.mu.Lock()
	n.watches[tenantID].wake()
	n.mu.Unlock()
	n.changed.set()
}

// wake wakes the subscribers of a watch, if there is one.
func (w *watch) wake() {
	if w == nil {
		return
	}
	for subscriber := range w.subscribers {
		subscriber.set()
	}
}

// Run exchanges notifications with other processes until ctx ends. It reconnects after
// a lost connection and then notifies all subscribers, because notifications may have
// been missed.
func (n *Notifier) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { n.send(ctx) })
	wg.Go(func() { limitRate(ctx, n.received, lookInterval, n.look) })
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
		case <-n.changed:
		case <-ctx.Done():
			return
		}
		if (clock.System{}).Sleep(ctx, notifyDelay) != nil {
			return
		}
		select {
		case <-n.changed: // Also in this notification.
		default:
		}
		// Lost when the registry does not answer; then nothing changes there either.
		_, _ = n.db.Pool().Exec(ctx, `SELECT set_config('synchronous_commit', 'off', true), pg_notify('`+notifyChannel+`', '')`)
	}
}

// limitRate calls f after signals until ctx ends, with a pause after each call. Signals
// during a call or a pause cause one more call.
func limitRate(ctx context.Context, s signal, pause time.Duration, f func(context.Context)) {
	for {
		select {
		case <-s:
		case <-ctx.Done():
			return
		}
		f(ctx)
		if (clock.System{}).Sleep(ctx, pause) != nil {
			return
		}
	}
}

// look wakes the subscribers of the tenants that changed since the last look, and of those
// that it sees first.
func (n *Notifier) look(ctx context.Context) {
	n.mu.Lock()
	began := make(map[uuid.UUID]*watch, len(n.watches))
	ids := make([]uuid.UUID, 0, len(n.watches))
	for id, w := range n.watches {
		began[id] = w
		ids = append(ids, id)
	}
	n.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	versions, err := n.versions(ctx, ids)
	if err != nil {
		return // The next look, or the subscribers' own reads, make up for it.
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, w := range began {
		if v := versions[id]; w.seen == nil || *w.seen != v {
			w.seen = &v
			w.wake()
		}
	}
}

// versions reads the versions of tenants, as many rows as there are ids.
func (n *Notifier) versions(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]version, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	rows, err := n.db.Pool().Query(ctx, `SELECT t.id, t.version, coalesce((
			SELECT max(l.change_seq) FROM provisioning_logs l WHERE l.tenant_id = t.id AND l.attempt = t.attempt), 0)
		FROM tenants t WHERE t.id = ANY($1)`, ids)
	if err != nil {
		return nil, err
	}
	versions := make(map[uuid.UUID]version, len(ids))
	var (
		id uuid.UUID
		v  version
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &v.row, &v.log}, func() error { versions[id] = v; return nil })
	return versions, err
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
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		n.received.set()
	}
}

func (n *Notifier) broadcast() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, w := range n.watches {
		w.wake()
	}
}
