package contracts

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// UpgradeProgress is how far an upgrade of all contracts is.
type UpgradeProgress struct{ Done, Total int }

// UpgradeOptions say how all contracts are upgraded.
type UpgradeOptions struct {
	Canary   int                   // How many go first, one by one. 0: the default, one; negative: none.
	Progress func(UpgradeProgress) // Is told how far it is. May be nil.
}

// upgradePollInterval is how often the progress of other processes is looked at.
const upgradePollInterval = 500 * time.Millisecond

// Upgrade brings every contract that runs an earlier release's code to the newest.
// Canaries go first; when one of them fails, no other contract is touched. After
// them all keepers work on it, this one too, and it goes on without this one when
// ctx ends. It gives how many had to be upgraded. KindPermanent when contracts
// were left that cannot be.
func (r *Reconciler) Upgrade(ctx context.Context, o UpgradeOptions) (total int, err error) {
	const op = "upgrade contracts"
	if _, err := r.store.RegisterContracts(ctx); err != nil {
		return 0, err
	}
	outdated, err := r.outdatedTenants(ctx)
	if err != nil || len(outdated) == 0 {
		return len(outdated), err
	}
	canaries := min(max(o.Canary, 0), len(outdated))
	if o.Canary == 0 {
		canaries = 1
	}
	progress := func(done int) {
		if o.Progress != nil {
			o.Progress(UpgradeProgress{Done: done, Total: len(outdated)})
		}
	}
	for i, id := range outdated[:canaries] {
		progress(i)
		if _, err := r.store.PlanUpgrade(ctx, r.chain.CurrentCode(), outdated[i:i+1]); err != nil {
			return len(outdated), err
		}
		report, err := r.ReconcileTenants(ctx, id)
		if reason, failed := report.Failed[id]; err == nil && failed {
			err = errs.Errorf(errs.KindPermanent, op, "the first contract, of tenant %s, could not be upgraded, and no other was touched: %s", id, reason)
		}
		if err != nil {
			return len(outdated), err
		}
	}
	progress(canaries)
	if _, err := r.store.PlanUpgrade(ctx, r.chain.CurrentCode(), outdated[canaries:]); err != nil {
		return len(outdated), err
	}
	return len(outdated), r.finishUpgrade(ctx, outdated, progress)
}

// outdatedTenants lists the tenants whose contracts run an earlier release's code, by a
// look at all of them.
func (r *Reconciler) outdatedTenants(ctx context.Context) (ids []uuid.UUID, err error) {
	var after uuid.UUID
	for {
		items, err := r.store.ListContracts(ctx, after, r.opts.Batch)
		if err != nil || len(items) == 0 {
			return ids, err
		}
		tenants := make([]tenant.Tenant, len(items))
		for i, d := range items {
			tenants[i] = d.Tenant
		}
		states, err := r.chain.ReadContracts(ctx, tenants)
		if err != nil {
			return ids, err
		}
		for _, s := range states {
			if s.Outdated {
				ids = append(ids, s.TenantID)
			}
		}
		after = items[len(items)-1].Tenant.ID
	}
}

// finishUpgrade works on planned upgrades until none is left that can be done.
func (r *Reconciler) finishUpgrade(ctx context.Context, tenants []uuid.UUID, progress func(int)) error {
	report := Report{Failed: map[uuid.UUID]string{}}
	for {
		items, err := r.take(ctx, ClaimQuery{PendingUpgrade: r.chain.CurrentCode(), ClaimFor: claimTimeout, Limit: r.opts.Batch})
		if err == nil {
			err = r.reconcile(ctx, items, &report, reconcileOptions{})
		}
		if err != nil {
			return err
		}
		waiting, failed, err := r.store.PendingUpgrades(ctx, r.chain.CurrentCode())
		if err != nil {
			return err
		}
		progress(len(tenants) - waiting)
		switch {
		case waiting == 0:
			return nil
		case failed == waiting:
			return errs.Errorf(errs.KindPermanent, "upgrade contracts", "%d contracts could not be upgraded and are tried again later; the list of contracts has the reasons", failed)
		}
		if len(items) > 0 {
			continue
		}
		if err := r.opts.Clock.Sleep(ctx, upgradePollInterval); err != nil {
			return errs.Wrap(err, errs.KindCancelled, "upgrade contracts", "stopped on request; %d contracts are left, and the workers go on with them", waiting)
		}
	}
}
