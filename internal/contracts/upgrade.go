package contracts

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// UpgradeProgress is the progress of an upgrade of all contracts.
type UpgradeProgress struct{ Done, Total int }

// UpgradeOptions are the settings of an upgrade of all contracts.
type UpgradeOptions struct {
	Canary   int                   // How many are upgraded first, one by one. 0: the default, one; negative: none.
	Progress func(UpgradeProgress) // Called as the upgrade proceeds. May be nil.
}

// upgradePollInterval is how often the progress of other processes is read.
const upgradePollInterval = 500 * time.Millisecond

// Upgrade upgrades every contract that runs an earlier release's code. Canaries are
// upgraded first; when one of them fails, no other contract is changed. Then all
// reconcilers work on the rest, and continue after ctx ends. It returns how many contracts
// were outdated. KindPermanent when some could not be upgraded.
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
		for _, reason := range report.Failed { // Of this one.
			if err != nil {
				break
			}
			err = errs.Errorf(errs.KindPermanent, op, "the first contract, of tenant %s, could not be upgraded, and no other was changed: %s", id, reason)
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

// outdatedTenants reads all contracts and lists the tenants whose contract runs an earlier
// release's code.
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

// finishUpgrade reconciles planned upgrades until none is left that can succeed.
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
			return errs.Errorf(errs.KindPermanent, "upgrade contracts", "%d contracts could not be upgraded and are retried later; the list of contracts has the reasons", failed)
		}
		if len(items) > 0 {
			continue
		}
		if err := r.opts.Clock.Sleep(ctx, upgradePollInterval); err != nil {
			return errs.Wrap(err, errs.KindCancelled, "upgrade contracts", "stopped on request; the workers continue with the remaining %d contracts", waiting)
		}
	}
}
