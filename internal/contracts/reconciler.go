package contracts

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
)

// ReconcilerOptions are the settings of a Keeper. Zero values give the defaults.
type ReconcilerOptions struct {
	// AnchorInterval is how often the head of a tenant's audit chain is anchored in its
	// contract, if it has changed. Negative: on demand alone. Default: a day.
	AnchorInterval time.Duration
	// CheckInterval is how often a contract is looked at where nothing is due. Default: a day.
	CheckInterval time.Duration
	// ChannelInterval is how often one process looks after the channels. Default: a minute.
	ChannelInterval time.Duration
	// RegisterInterval is how often one process looks for contracts that are new. Default: an hour.
	RegisterInterval time.Duration
	// Batch is the most contracts that are taken on at once. Default 190: they are
	// read with their code in one call.
	Batch int
	// MaxConcurrentChanges is the most changes under way at once. Each takes an account for a
	// ledger, so it should leave some for tenants that wait. Default 1.
	MaxConcurrentChanges int
	// Clock is for the pauses between looks. Default: System.
	Clock clock.Clock
}

func (o ReconcilerOptions) withDefaults() ReconcilerOptions {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&o.AnchorInterval, 24*time.Hour)
	set(&o.CheckInterval, 24*time.Hour)
	set(&o.ChannelInterval, time.Minute)
	set(&o.RegisterInterval, time.Hour)
	if o.Batch == 0 {
		o.Batch = 190
	}
	if o.MaxConcurrentChanges < 1 {
		o.MaxConcurrentChanges = 1
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	return o
}

// How long a contract is put off.
const (
	claimTimeout  = 10 * time.Minute // While somebody is at it.
	minRetryDelay = 30 * time.Second // After something was left undone, doubling,
	maxRetryDelay = 6 * time.Hour    // to that.
)

// takeGrace is how long contracts may be waited for after a stop: they are taken by
// then, perhaps, and have to be given back.
const takeGrace = 10 * time.Second

// Reconciler looks after contracts that exist: it keeps them alive, has them say
// whether their tenant is served, anchors audit chains, and upgrades code. What
// it cannot do now it does later; it holds up nobody. It keeps nothing in memory
// that matters, and any number of keepers may work side by side.
type Reconciler struct {
	store Store
	chain Chain
	opts  ReconcilerOptions

	mu                           sync.Mutex
	channelsDueAt, registerDueAt time.Time // Guarded by mu.
}

// NewReconciler wires a keeper; both parts are needed.
func NewReconciler(store Store, chain Chain, o ReconcilerOptions) (*Reconciler, error) {
	if store == nil || chain == nil {
		return nil, errs.Errorf(errs.KindInvalid, "set up keeper", "ContractBook or ContractKeeper is missing")
	}
	return &Reconciler{store: store, chain: chain, opts: o.withDefaults()}, nil
}

// Report is what a keeper did.
type Report struct {
	Registered                    int         // Contracts that were new to the book.
	Checked                       int         // Contracts that were looked at.
	Restored, Extended            []uuid.UUID // Tenants whose contract lives longer.
	StatusSet, Anchored, Upgraded []uuid.UUID
	Redeployed                    []uuid.UUID          // Their contracts were missing: the network was begun anew.
	Failed                        map[uuid.UUID]string // What was left undone, and why, for people.
	Channels                      ChannelReport
	FeeCharged                    int64 // Stroops, for all of it.
}

// Empty reports whether nothing was done, or should have been.
func (r Report) Empty() bool {
	return r.Registered+len(r.Restored)+len(r.Extended)+len(r.StatusSet)+len(r.Anchored)+len(r.Upgraded)+len(r.Redeployed)+len(r.Failed)+
		r.Channels.Created+r.Channels.ToppedUp == 0
}

// Pass does everything that is due once, as far as a batch goes. The report says
// what was done also when there is an error.
func (r *Reconciler) Pass(ctx context.Context) (Report, error) {
	report := Report{Failed: map[uuid.UUID]string{}}
	errs := []error{r.reconcileChannels(ctx, &report), r.registerContracts(ctx, &report)}
	items, err := r.take(ctx, ClaimQuery{ClaimFor: claimTimeout, Limit: r.opts.Batch})
	if err == nil {
		err = r.reconcile(ctx, items, &report, reconcileOptions{scheduled: true})
	}
	return report, errors.Join(append(errs, err)...)
}

// ReconcileTenants looks at some tenants' contracts now, and does for them what is due.
func (r *Reconciler) ReconcileTenants(ctx context.Context, tenants ...uuid.UUID) (Report, error) {
	return r.reconcileTenants(ctx, tenants, reconcileOptions{scheduled: true, named: true})
}

// ReconcileOne does for one tenant's contract what is due. KindPermanent with the reason
// when something is left undone.
func (r *Reconciler) ReconcileOne(ctx context.Context, tenant uuid.UUID) error {
	report, err := r.ReconcileTenants(ctx, tenant)
	if problem, left := report.Failed[tenant]; err == nil && left {
		return errs.Errorf(errs.KindPermanent, "look after contract", "%s", problem)
	}
	return err
}

// Anchor anchors the audit chains of some tenants now.
func (r *Reconciler) Anchor(ctx context.Context, tenants ...uuid.UUID) (Report, error) {
	return r.reconcileTenants(ctx, tenants, reconcileOptions{anchorAll: true, named: true})
}

// ReconcileAll looks at every contract now, and does for them what is due. tell, which may be
// nil, is told after each batch how many were looked at.
func (r *Reconciler) ReconcileAll(ctx context.Context, progress func(looked int)) (Report, error) {
	return r.reconcileAll(ctx, reconcileOptions{scheduled: true}, progress)
}

// AnchorAll anchors the audit chains of all tenants now. tell as with All.
func (r *Reconciler) AnchorAll(ctx context.Context, progress func(looked int)) (Report, error) {
	return r.reconcileAll(ctx, reconcileOptions{anchorAll: true}, progress)
}

func (r *Reconciler) reconcileAll(ctx context.Context, o reconcileOptions, progress func(looked int)) (Report, error) {
	report := Report{Failed: map[uuid.UUID]string{}}
	err := r.reconcileChannels(ctx, &report)
	if err == nil {
		report.Registered, err = r.store.RegisterContracts(ctx)
	}
	for after := uuid.Nil; err == nil; {
		var items []WorkItem
		if items, err = r.store.ListContracts(ctx, after, r.opts.Batch); err != nil || len(items) == 0 {
			break
		}
		ids := make([]uuid.UUID, len(items))
		for i, d := range items {
			ids[i] = d.Tenant.ID
		}
		after = ids[len(ids)-1]
		if items, err = r.take(ctx, ClaimQuery{Tenants: ids, ClaimFor: claimTimeout, Limit: len(ids)}); err == nil {
			err = r.reconcile(ctx, items, &report, o)
		}
		if progress != nil {
			progress(report.Checked)
		}
	}
	return report, err
}

func (r *Reconciler) reconcileTenants(ctx context.Context, tenants []uuid.UUID, o reconcileOptions) (Report, error) {
	report := Report{Failed: map[uuid.UUID]string{}}
	registered, err := r.store.RegisterContracts(ctx, tenants...)
	report.Registered = registered
	for len(tenants) > 0 && err == nil {
		n := min(len(tenants), r.opts.Batch)
		var items []WorkItem
		items, err = r.take(ctx, ClaimQuery{Tenants: tenants[:n], ClaimFor: claimTimeout, Limit: n})
		if err == nil {
			err = r.reconcile(ctx, items, &report, o)
		}
		tenants = tenants[n:]
	}
	return report, err
}

// take claims contracts for this keeper.
func (r *Reconciler) take(ctx context.Context, q ClaimQuery) (duties []WorkItem, err error) {
	err = retry.Detached(ctx, r.opts.Clock, takeGrace, func(ctx context.Context) error {
		duties, err = r.store.ClaimDueContracts(ctx, q)
		return err
	})
	return duties, err
}

// reconcileChannels looks after the channels, now and then.
func (r *Reconciler) reconcileChannels(ctx context.Context, report *Report) error {
	if !r.due(&r.channelsDueAt, r.opts.ChannelInterval) {
		return nil
	}
	channels, err := r.chain.ReconcileChannels(ctx, r.store.SystemLog())
	report.Channels, report.FeeCharged = channels, report.FeeCharged+channels.FeeCharged
	if err != nil {
		err = fmt.Errorf("look after the channels: %w", err)
	}
	if channels.DeployerBalance == 0 { // Nobody could say.
		return err
	}
	// A balance is worth the most when it was too little for what was to be done.
	return errors.Join(err, r.store.RecordDeployerBalance(ctx, r.chain.NetworkID(), r.chain.Address(), channels.DeployerBalance))
}

// registerContracts finds contracts that are new, now and then: none of them needs anything for
// days.
func (r *Reconciler) registerContracts(ctx context.Context, report *Report) (err error) {
	if !r.due(&r.registerDueAt, r.opts.RegisterInterval) {
		return nil
	}
	report.Registered, err = r.store.RegisterContracts(ctx)
	return err
}

// due reports whether it is time, and sets the next one.
func (r *Reconciler) due(at *time.Time, interval time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.opts.Clock.Now()
	if now.Before(*at) {
		return false
	}
	*at = now.Add(interval)
	return true
}
