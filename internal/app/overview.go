package app

import (
	"context"
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
	// driftTTL is how old the search for drift may be: it reads the catalogs for each tenant.
	driftTTL = 5 * time.Minute
	// driftTimeout is how long that may take.
	driftTimeout = 2 * time.Minute
)

// Overview reads the parts of GET /admin/overview, each on its own.
type Overview struct {
	db      *postgres.DB
	stellar *Stellar
	queue   QueueStats
	behind  *backgroundRead
	drift   *backgroundRead
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
	behind := func(ctx context.Context) ([]monitoring.Attention, error) { return db.Behind(ctx, tenantschema.Version) }
	drift := func(ctx context.Context) ([]monitoring.Attention, error) { return findDrift(ctx, db) }
	return &Overview{
		db: db, stellar: stellar, queue: queue,
		behind: &backgroundRead{read: behind, ttl: behindTTL, timeout: behindTimeout, waitsFirst: true, clock: c},
		drift:  &backgroundRead{read: drift, ttl: driftTTL, timeout: driftTimeout, clock: c},
	}
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
// but one. Only the first call waits.
func (o *Overview) Behind(ctx context.Context) ([]monitoring.Attention, error) {
	return o.behind.get(ctx)
}

// Drift returns the ACTIVE tenants whose schema or role differs from what was made, as they were at most five minutes
// before the last call but one. The first call begins to search, and returns nothing.
func (o *Overview) Drift(ctx context.Context) ([]monitoring.Attention, error) {
	return o.drift.get(ctx)
}
