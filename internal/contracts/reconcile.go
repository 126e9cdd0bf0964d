package contracts

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// reconcileOptions selects optional actions besides repairs.
type reconcileOptions struct {
	scheduled bool // Anchor when the schedule says so.
	anchorAll bool // Anchor all.
	named     bool // The caller named these tenants.
}

// foreignRetryDelay is how long contracts of another deployer or network are deferred, so
// that the reconcilers of that deployer can claim them.
const foreignRetryDelay = time.Minute

// ownedContracts returns the contracts of this deployer and defers the others unchanged.
func (r *Reconciler) ownedContracts(ctx context.Context, items []WorkItem) (own []WorkItem, err error) {
	var foreign []uuid.UUID
	for _, d := range items {
		address, err := r.chain.ContractID(d.Tenant.ID)
		if err != nil {
			return nil, err
		}
		if address == d.Tenant.ContractID {
			own = append(own, d)
		} else {
			foreign = append(foreign, d.Tenant.ID)
		}
	}
	if len(foreign) == 0 {
		return own, nil
	}
	// Also after a stop: they are claimed, and other processes wait for them.
	ctx, cancel := writeContext(ctx)
	defer cancel()
	return own, r.store.Defer(ctx, foreign, r.opts.Clock.Now().Add(foreignRetryDelay))
}

// reconcileBatch is one reconciliation of a batch of contracts.
type reconcileBatch struct {
	*Reconciler
	reconcileOptions
	items            []WorkItem
	states           []Snapshot
	failures         []error              // By item: why it failed.
	redeployed       []bool               // By item: redeployed, and due again at once.
	anchorMismatches map[uuid.UUID]string // By tenant: why its audit chain does not match the anchor.

	mu     sync.Mutex
	report *Report // Guarded by mu while changes run.
}

// reconcile restores and extends contracts, then updates status, code and anchors. The
// failure of one contract is recorded with the time of the next attempt and is not an
// error; an error means that the contracts could not be read or recorded.
func (r *Reconciler) reconcile(ctx context.Context, items []WorkItem, report *Report, o reconcileOptions) error {
	if !o.named {
		var err error
		if items, err = r.ownedContracts(ctx, items); err != nil {
			return err
		}
	}
	if len(items) == 0 {
		return nil
	}
	b := &reconcileBatch{Reconciler: r, reconcileOptions: o, items: items, failures: make([]error, len(items)), redeployed: make([]bool, len(items)), report: report}
	if err := b.read(ctx); err != nil {
		b.deferBatch(ctx, err)
		return err
	}
	report.Checked += len(items)
	b.renew(ctx)
	changed := b.applyChanges(ctx)
	if changed { // Record the state after the changes; if the read fails, the next reconciliation does.
		_ = b.read(ctx)
	}
	return b.record(ctx)
}

// read reads the contracts and checks their anchors. On an error it keeps the previous
// results, also the mismatches: nothing may be anchored for these tenants.
func (b *reconcileBatch) read(ctx context.Context) error {
	tenants := make([]tenant.Tenant, len(b.items))
	for i, d := range b.items {
		tenants[i] = d.Tenant
	}
	states, err := b.chain.ReadContracts(ctx, tenants)
	if err != nil {
		return err
	}
	mismatches, err := b.store.AnchorMismatches(ctx, states)
	if err != nil {
		return err
	}
	b.states, b.anchorMismatches = states, mismatches
	return nil
}

// renew restores expired contracts and extends expiring ones.
func (b *reconcileBatch) renew(ctx context.Context) {
	var expiring []Snapshot
	for _, s := range b.states {
		if s.State == StateExpired || s.State == StateExpiring {
			expiring = append(expiring, s)
		}
	}
	if len(expiring) == 0 {
		return
	}
	renewal, err := b.chain.RenewContracts(ctx, b.store.SystemLog(), expiring)
	b.report.Restored = append(b.report.Restored, b.subjects(renewal.Restored)...)
	b.report.Extended = append(b.report.Extended, b.subjects(renewal.Extended)...)
	b.report.FeeCharged += renewal.FeeCharged
	// The new read shows which contracts were not renewed.
	if readErr := b.read(ctx); readErr != nil {
		err = errors.Join(err, readErr)
	}
	for i, s := range b.states {
		if err != nil && (s.State == StateExpired || s.State == StateExpiring) {
			b.failures[i] = err
		}
	}
}

// subjects are the ids as reports have them.
func (b *reconcileBatch) subjects(ids []uuid.UUID) []uuid.UUID {
	out := slices.Clone(ids)
	for i := range b.items {
		if at := slices.Index(out, b.items[i].Tenant.ID); at >= 0 && b.items[i].Registry {
			out[at] = uuid.Nil
		}
	}
	return out
}

// applyChanges makes the required changes and reports whether there were any.
func (b *reconcileBatch) applyChanges(ctx context.Context) (changed bool) {
	var group errgroup.Group
	group.SetLimit(b.opts.MaxConcurrentChanges)
	for i := range b.items {
		changes := b.requiredChanges(i)
		if len(changes) == 0 {
			continue
		}
		changed = true
		group.Go(func() error {
			for _, c := range changes { // One after the other: a contract has one transaction at a time.
				if err := b.apply(ctx, i, c); err != nil {
					b.failures[i] = err
					break
				}
			}
			return nil // One contract's error stops no other.
		})
	}
	_ = group.Wait()
	return changed
}

// requiredChanges returns the changes that a contract needs.
func (b *reconcileBatch) requiredChanges(i int) (changes []Change) {
	item, state := b.items[i], b.states[i]
	switch state.State {
	case StateMismatch:
		b.failures[i] = errs.Errorf(errs.KindPermanent, "reconcile contract", "%s", state.Mismatch)
		return nil
	case StateMissing:
		changes = append(changes, Change{Purpose: txlog.PurposeCreate})
		if item.Registry && (b.anchorAll || b.scheduled && b.anchorDue(item, state)) { // It exists for this.
			changes = append(changes, Change{Purpose: txlog.PurposeAnchor, Anchor: item.Head})
		}
		return changes
	case StateExpired:
		if b.failures[i] == nil {
			b.failures[i] = errs.Errorf(errs.KindTransient, "reconcile contract", "the contract %s is expired and was not restored", state.ContractID)
		}
		return nil
	case StateLive, StateExpiring:
	}
	if item.Record.UpgradeTo == b.chain.CurrentCode() && state.Outdated {
		changes = append(changes, Change{Purpose: txlog.PurposeUpgrade})
	}
	if status := ContractStatusOf(item.Tenant.Status); status != state.Status {
		changes = append(changes, Change{Purpose: txlog.PurposeStatus, Status: status})
	}
	if reason, mismatch := b.anchorMismatches[state.TenantID]; mismatch {
		// A new anchor would hide the mismatch.
		b.failures[i] = errs.Errorf(errs.KindPermanent, "reconcile contract", "%s; tenant-api tenants verify has the findings, and nothing is anchored until the chain matches again", reason)
	} else if item.Head.Seq > state.Anchor.Seq && (b.anchorAll || b.scheduled && b.anchorDue(item, state)) {
		changes = append(changes, Change{Purpose: txlog.PurposeAnchor, Anchor: item.Head})
	}
	return changes
}

// anchorDue reports whether an anchor is due by the schedule. The first one is due one
// interval after the tenant was created.
func (b *reconcileBatch) anchorDue(item WorkItem, state Snapshot) bool {
	if b.opts.AnchorInterval < 0 {
		return false
	}
	since := item.Tenant.CreatedAt
	if state.Anchor.Seq > 0 && item.Record.Anchor.Seq == state.Anchor.Seq {
		since = item.Record.AnchoredAt
	}
	return b.opts.Clock.Now().Sub(since) >= b.opts.AnchorInterval
}

func (b *reconcileBatch) apply(ctx context.Context, i int, change Change) error {
	id := b.items[i].Tenant.ID
	var (
		fee int64
		err error
	)
	if change.Purpose == txlog.PurposeCreate {
		var deployed Contract
		deployed, err = b.chain.Deploy(ctx, b.items[i].Tenant, b.store.SystemLog())
		fee, b.redeployed[i] = deployed.FeeCharged, true
	} else {
		fee, err = b.chain.ChangeContract(ctx, b.store.SystemLog(), id, change)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report.FeeCharged += fee
	if err != nil {
		return err
	}
	if b.items[i].Registry && change.Purpose == txlog.PurposeCreate {
		b.report.RegistryDeployed = true
		return nil
	}
	list := map[txlog.Purpose]*[]uuid.UUID{
		txlog.PurposeStatus: &b.report.StatusSet, txlog.PurposeAnchor: &b.report.Anchored, txlog.PurposeUpgrade: &b.report.Upgraded,
		txlog.PurposeCreate: &b.report.Redeployed,
	}[change.Purpose]
	*list = append(*list, b.items[i].subject())
	return nil
}

// record writes the state of the contracts, and when each is due.
func (b *reconcileBatch) record(ctx context.Context) error {
	now := b.opts.Clock.Now()
	records := make([]Record, len(b.items))
	for i, item := range b.items {
		rec := Record{Snapshot: b.states[i], CheckedAt: now, UpgradeTo: item.Record.UpgradeTo, AnchoredAt: item.Record.AnchoredAt}
		if rec.Anchor.Seq != item.Record.Anchor.Seq {
			rec.AnchoredAt = now
		}
		if b.chain.IsPredecessor(item.Record.UpgradeTo) {
			rec.SupersededUpgrade = item.Record.UpgradeTo
		}
		switch {
		case errs.KindOf(b.failures[i]) == errs.KindCancelled: // Due at once, so that another process continues.
			rec.ConsecutiveFailures, rec.LastError, rec.DueAt = item.Record.ConsecutiveFailures, item.Record.LastError, now
		case b.failures[i] != nil:
			rec.ConsecutiveFailures, rec.LastError = item.Record.ConsecutiveFailures+1, errs.SafeMessage(b.failures[i])
			rec.DueAt = now.Add(retryDelay(item.Record.ConsecutiveFailures))
			if b.states[i].State == StateMismatch { // Perhaps the code of a newer release, whose processes reconcile it.
				rec.DueAt = now.Add(foreignRetryDelay)
			}
			b.report.Failed[item.subject()] = rec.LastError
		default:
			rec.DueAt = now.Add(b.nextCheck())
			if b.redeployed[i] {
				rec.DueAt = now
			}
		}
		records[i] = rec
	}
	// Also after a stop, so that no change is repeated.
	ctx, cancel := writeContext(ctx)
	defer cancel()
	return b.store.RecordContracts(ctx, records)
}

// writeContext returns a context for a write that is also made after a stop. It ends after
// writeTimeout.
func writeContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
}

const writeTimeout = 30 * time.Second

// retryDelay is the pause before the next attempt, after that many earlier failures.
func retryDelay(failures int) time.Duration {
	return retry.Backoff(minRetryDelay, maxRetryDelay, 0, failures+1)
}

// nextCheck is the time until a contract without failures is reconciled again.
func (r *Reconciler) nextCheck() time.Duration {
	if r.opts.AnchorInterval > 0 {
		return min(r.opts.CheckInterval, r.opts.AnchorInterval)
	}
	return r.opts.CheckInterval
}

// deferBatch records that the contracts could not be read.
func (b *reconcileBatch) deferBatch(ctx context.Context, cause error) {
	now := b.opts.Clock.Now()
	records := make([]Record, len(b.items))
	for i, d := range b.items {
		records[i] = d.Record
		if errs.KindOf(cause) == errs.KindCancelled {
			records[i].DueAt = now
			continue
		}
		records[i].ConsecutiveFailures, records[i].LastError = d.Record.ConsecutiveFailures+1, errs.SafeMessage(cause)
		records[i].DueAt = now.Add(retryDelay(d.Record.ConsecutiveFailures))
	}
	// If this fails, they are due again when their claim expires.
	ctx, cancel := writeContext(ctx)
	defer cancel()
	_ = b.store.RecordContracts(ctx, records)
}
