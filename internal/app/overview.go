package app

import (
	"context"
	"sync"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

const (
	// behindTTL is how old the list of tenants that are behind may be: reading it reads all tenants.
	behindTTL = time.Minute
	// behindTimeout is how long that may take. It goes on when a caller has gone.
	behindTimeout = 30 * time.Second
)

// Overview reads the parts of GET /admin/overview, each on its own.
type Overview struct {
	db      *postgres.DB
	stellar *Stellar
	queue   QueueStats
	clock   clock.Clock

	mu      sync.Mutex // Guards the fields below.
	reading chan struct{}
	behind  []monitoring.Attention
	err     error
	readAt  time.Time
}

// QueueStats reads the state of the queues: queue.Queue does.
type QueueStats interface {
	Stats(ctx context.Context) (monitoring.Queue, error)
}

// NewOverview makes an Overview. A nil clock is the system's.
func NewOverview(db *postgres.DB, stellar *Stellar, queue QueueStats, c clock.Clock) *Overview {
	if c == nil {
		c = clock.System{}
	}
	return &Overview{db: db, stellar: stellar, queue: queue, clock: c}
}

// TenantCounts counts the tenants by status.
func (o *Overview) TenantCounts(ctx context.Context) (map[tenant.Status]int64, error) {
	return o.db.TenantCounts(ctx)
}

// Attention is what needs attention in the registry, without the tenants that are behind.
func (o *Overview) Attention(ctx context.Context) ([]monitoring.Attention, error) {
	return o.db.Attention(ctx)
}

// Throughput is what happened in the last 24 hours.
func (o *Overview) Throughput(ctx context.Context) ([]monitoring.Hour, error) {
	return o.db.Throughput(ctx)
}

// Ledger is what registry and process know of the network.
func (o *Overview) Ledger(ctx context.Context) (monitoring.Ledger, error) {
	return o.stellar.Ledger(ctx)
}

// Queue is the state of the queues.
func (o *Overview) Queue(ctx context.Context) (monitoring.Queue, error) { return o.queue.Stats(ctx) }

// Behind returns the tenants that are behind, as they were at most a minute before the last call
// but one: an old answer is returned at once, and read again meanwhile. Only the first call waits.
func (o *Overview) Behind(ctx context.Context) ([]monitoring.Attention, error) {
	o.mu.Lock()
	if o.reading == nil && (o.readAt.IsZero() || o.err != nil || o.clock.Now().Sub(o.readAt) >= behindTTL) {
		o.reading = make(chan struct{})
		go o.readBehind(context.WithoutCancel(ctx), o.reading)
	}
	reading, known := o.reading, !o.readAt.IsZero() && o.err == nil
	o.mu.Unlock()
	if !known && reading != nil {
		select {
		case <-reading:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.behind, o.err
}

func (o *Overview) readBehind(ctx context.Context, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, behindTimeout)
	defer cancel()
	found, err := o.db.Behind(ctx, tenantschema.Version)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.behind, o.err, o.readAt, o.reading = found, err, o.clock.Now(), nil
	close(done)
}
