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

// ReconcilerOptions are the settings of a Reconciler. Zero values are the defaults.
type ReconcilerOptions struct {
	// AnchorInterval is how often the head of a tenant's audit chain is anchored in its
	// contract, if it has changed. Negative: only on demand. Default: a day.
	AnchorInterval time.Duration
	// CheckInterval is how often a contract is read when nothing is due. Default: a day.
	CheckInterval time.Duration
	// ChannelInterval is how often one process reconciles the channel accounts. Default: a minute.
	ChannelInterval time.Duration
	// RegisterInterval is how often one process registers new contracts. Default: an hour.
	RegisterInterval time.Duration
	// UnknownInterval is how often one process looks for contracts that the registry has
	// lost. Default: an hour.
	UnknownInterval time.Duration
	// Batch is the most contracts that are claimed at once. Default 190: one call reads
	// them with their code.
	Batch int
	// MaxConcurrentChanges is the most changes at the same time. Each uses an account for
	// one ledger, so some accounts should stay free for new tenants. Default 1.
	MaxConcurrentChanges int
	// Clock reads the time and sleeps. Default: clock.System.
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
	set(&o.UnknownInterval, time.Hour)
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

// How long a contract is deferred.
const (
	claimTimeout  = 10 * time.Minute // While a process reconciles it.
	minRetryDelay = 30 * time.Second // After the first failure; doubles with each.
	maxRetryDelay = 6 * time.Hour
)

// takeGrace is how long a claim may take after a stop: it may be committed already, and
// then the contracts must be released.
const takeGrace = 10 * time.Second

// Reconciler manages deployed contracts: it extends and restores them, updates the status
// of their tenant, anchors audit chains and upgrades code. A failed contract is retried
// later and does not delay others. All state is in the registry, so many reconcilers may
// run at once.
type Reconciler struct {
	store Store
	chain Chain
	opts  ReconcilerOptions

	mu                                         sync.Mutex
	channelsDueAt, registerDueAt, unknownDueAt time.Time         // Guarded by mu.
	others                                     map[Creation]bool // By other registries. Guarded by mu.
}

// NewReconciler makes a reconciler. KindInvalid when a part is nil.
func NewReconciler(store Store, chain Chain, o ReconcilerOptions) (*Reconciler, error) {
	if store == nil || chain == nil {
		return nil, errs.Errorf(errs.KindInvalid, "set up contract reconciler", "Store or Chain is missing")
	}
	return &Reconciler{store: store, chain: chain, opts: o.withDefaults()}, nil
}

// Report lists what a reconciliation did. In its lists, uuid.Nil is the registry.
type Report struct {
	Registered                    int         // Contracts that were registered.
	Checked                       int         // Contracts that were read.
	Restored, Extended            []uuid.UUID // Tenants.
	StatusSet, Anchored, Upgraded []uuid.UUID
	RegistryDeployed              bool                 // The contract of the registry chain.
	Redeployed                    []uuid.UUID          // Tenants whose contract was missing after a network reset.
	Failed                        map[uuid.UUID]string // By tenant: why it failed, for people.
	Unknown                       []Creation           // Contracts that the registry created and has lost. See FindUnknown.
	UnknownRead                   bool                 // Unknown was read.
	Channels                      ChannelReport
	FeeCharged                    int64 // Stroops, in total.
}

// Empty reports whether nothing was done and nothing failed.
func (r Report) Empty() bool {
	return !r.RegistryDeployed && r.Registered+len(r.Restored)+len(r.Extended)+len(r.StatusSet)+len(r.Anchored)+len(r.Upgraded)+len(r.Redeployed)+len(r.Failed)+len(r.Unknown)+
		r.Channels.Created+r.Channels.ToppedUp == 0
}

// Pass does once what is due, at most one batch. The report is complete also when there is
// an error.
func (r *Reconciler) Pass(ctx context.Context) (Report, error) {
	report := Report{Failed: map[uuid.UUID]string{}}
	errs := []error{r.reconcileChannels(ctx, &report), r.registerContracts(ctx, &report)}
	items, err := r.take(ctx, ClaimQuery{ClaimFor: claimTimeout, Limit: r.opts.Batch})
	if err == nil {
		err = r.reconcile(ctx, items, &report, reconcileOptions{scheduled: true})
	}
	errs = append(errs, err, r.findUnknown(ctx, &report)) // Last: it may take some calls, and nothing waits for it.
	return report, errors.Join(errs...)
}

// ReconcileTenants reconciles the contracts of these tenants now.
func (r *Reconciler) ReconcileTenants(ctx context.Context, tenants ...uuid.UUID) (Report, error) {
	return r.reconcileTenants(ctx, tenants, reconcileOptions{scheduled: true, named: true})
}

// ReconcileOne reconciles one tenant's contract now. KindPermanent with the reason when
// that failed.
func (r *Reconciler) ReconcileOne(ctx context.Context, tenant uuid.UUID) error {
	report, err := r.ReconcileTenants(ctx, tenant)
	if reason, failed := report.Failed[tenant]; err == nil && failed {
		return errs.Errorf(errs.KindPermanent, "reconcile contract", "%s", reason)
	}
	return err
}

// Anchor anchors the audit chains of some tenants now.
func (r *Reconciler) Anchor(ctx context.Context, tenants ...uuid.UUID) (Report, error) {
	return r.reconcileTenants(ctx, tenants, reconcileOptions{anchorAll: true, named: true})
}

// ReconcileAll reconciles every contract now. progress, which may be nil, is called after
// each batch with the number of contracts read so far.
func (r *Reconciler) ReconcileAll(ctx context.Context, progress func(checked int)) (Report, error) {
	return r.reconcileAll(ctx, reconcileOptions{scheduled: true}, progress)
}

// AnchorAll anchors the audit chains of all tenants now. progress as in ReconcileAll.
func (r *Reconciler) AnchorAll(ctx context.Context, progress func(checked int)) (Report, error) {
	return r.reconcileAll(ctx, reconcileOptions{anchorAll: true}, progress)
}

func (r *Reconciler) reconcileAll(ctx context.Context, o reconcileOptions, progress func(checked int)) (Report, error) {
	report := Report{Failed: map[uuid.UUID]string{}}
	err := r.reconcileChannels(ctx, &report)
	if err == nil {
		report.Registered, err = r.store.RegisterContracts(ctx)
	}
	if err == nil {
		err = r.registerRegistry(ctx, o, &report)
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

// take claims contracts for this process.
func (r *Reconciler) take(ctx context.Context, q ClaimQuery) (items []WorkItem, err error) {
	err = retry.Detached(ctx, r.opts.Clock, retry.Grace{AfterStop: takeGrace, AfterDeadline: takeGrace}, func(ctx context.Context) error {
		items, err = r.store.ClaimDueContracts(ctx, q)
		return err
	})
	return items, err
}

// reconcileChannels reconciles the channel accounts, once in ChannelInterval.
func (r *Reconciler) reconcileChannels(ctx context.Context, report *Report) error {
	if !r.due(&r.channelsDueAt, r.opts.ChannelInterval) {
		return nil
	}
	channels, err := r.chain.ReconcileChannels(ctx, r.store.SystemLog())
	report.Channels, report.FeeCharged = channels, report.FeeCharged+channels.FeeCharged
	if err != nil {
		err = fmt.Errorf("reconcile channels: %w", err)
	}
	if channels.DeployerBalance == 0 { // It could not be read.
		return err
	}
	// Also after an error, whose cause may be a low balance.
	return errors.Join(err, r.store.RecordDeployerBalance(ctx, r.chain.NetworkID(), r.chain.Address(), channels.DeployerBalance))
}

// registerContracts registers new contracts, once in RegisterInterval: a new contract needs
// nothing for days.
func (r *Reconciler) registerContracts(ctx context.Context, report *Report) (err error) {
	if !r.due(&r.registerDueAt, r.opts.RegisterInterval) {
		return nil
	}
	if report.Registered, err = r.store.RegisterContracts(ctx); err != nil {
		return err
	}
	return r.registerRegistry(ctx, reconcileOptions{scheduled: true}, report)
}

// registerRegistry registers the contract of the registry chain when its first anchor is due.
// The next reconciliation finds it missing and deploys it, through the same way as a tenant's.
func (r *Reconciler) registerRegistry(ctx context.Context, o reconcileOptions, report *Report) error {
	minAge := r.opts.AnchorInterval
	switch {
	case o.anchorAll:
		minAge = 0
	case minAge < 0: // Only on demand.
		return nil
	}
	id, err := r.store.SystemLog().RegistryID(ctx)
	if err != nil {
		return err
	}
	address, err := r.chain.ContractID(id)
	if err != nil {
		return err
	}
	registered, err := r.store.RegisterRegistry(ctx, address, minAge)
	if registered {
		report.Registered++
	}
	return err
}

// due reports whether the time at has come, and if so sets the next one.
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
