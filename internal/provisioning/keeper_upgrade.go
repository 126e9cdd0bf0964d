package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// UpgradeProgress is how far an upgrade of all contracts is.
type UpgradeProgress struct{ Done, Total int }

// UpgradeOptions say how all contracts are upgraded.
type UpgradeOptions struct {
	Canary   int                   // How many go first, one by one. 0: the default, one; negative: none.
	Progress func(UpgradeProgress) // Is told how far it is. May be nil.
}

// upgradeLook is how often the progress of other processes is looked at.
const upgradeLook = 500 * time.Millisecond

// Upgrade brings every contract that runs an earlier release's code to the newest.
// Canaries go first; when one of them fails, no other contract is touched. After
// them all keepers work on it, this one too, and it goes on without this one when
// ctx ends. It gives how many had to be upgraded. KindPermanent when contracts
// were left that cannot be.
func (k *Keeper) Upgrade(ctx context.Context, o UpgradeOptions) (total int, err error) {
	const op = "upgrade contracts"
	if _, err := k.book.AdoptContracts(ctx); err != nil {
		return 0, err
	}
	outdated, err := k.outdated(ctx)
	if err != nil || len(outdated) == 0 {
		return len(outdated), err
	}
	canaries := min(max(o.Canary, 0), len(outdated))
	if o.Canary == 0 {
		canaries = 1
	}
	tell := func(done int) {
		if o.Progress != nil {
			o.Progress(UpgradeProgress{Done: done, Total: len(outdated)})
		}
	}
	for i, id := range outdated[:canaries] {
		tell(i)
		if _, err := k.book.PlanUpgrade(ctx, k.chain.CodeHash(), outdated[i:i+1]); err != nil {
			return len(outdated), err
		}
		report, err := k.Attend(ctx, id)
		if problem, failed := report.Undone[id]; err == nil && failed {
			err = Errorf(KindPermanent, op, "the first contract, of tenant %s, could not be upgraded, and no other was touched: %s", id, problem)
		}
		if err != nil {
			return len(outdated), err
		}
	}
	tell(canaries)
	if _, err := k.book.PlanUpgrade(ctx, k.chain.CodeHash(), outdated[canaries:]); err != nil {
		return len(outdated), err
	}
	return len(outdated), k.finishUpgrade(ctx, outdated, tell)
}

// outdated lists the tenants whose contracts run an earlier release's code, by a
// look at all of them.
func (k *Keeper) outdated(ctx context.Context) (ids []uuid.UUID, err error) {
	var after uuid.UUID
	for {
		duties, err := k.book.ContractsAfter(ctx, after, k.opts.Batch)
		if err != nil || len(duties) == 0 {
			return ids, err
		}
		tenants := make([]Tenant, len(duties))
		for i, d := range duties {
			tenants[i] = d.Tenant
		}
		states, err := k.chain.ReadContracts(ctx, tenants)
		if err != nil {
			return ids, err
		}
		for _, s := range states {
			if s.Outdated {
				ids = append(ids, s.TenantID)
			}
		}
		after = duties[len(duties)-1].Tenant.ID
	}
}

// finishUpgrade works on planned upgrades until none is left that can be done.
func (k *Keeper) finishUpgrade(ctx context.Context, outdated []uuid.UUID, tell func(int)) error {
	report := KeeperReport{Undone: map[uuid.UUID]string{}}
	for {
		duties, err := k.book.TakeContracts(ctx, ContractQuery{Upgrade: k.chain.CodeHash(), PutOff: keepPutOff, Limit: k.opts.Batch})
		if err == nil {
			err = k.attend(ctx, duties, &report, wish{})
		}
		if err != nil {
			return err
		}
		waiting, stuck, err := k.book.UpgradesLeft(ctx, k.chain.CodeHash())
		if err != nil {
			return err
		}
		tell(len(outdated) - waiting)
		switch {
		case waiting == 0:
			return nil
		case stuck == waiting:
			return Errorf(KindPermanent, "upgrade contracts", "%d contracts could not be upgraded and are tried again later; the list of contracts has the reasons", stuck)
		}
		if len(duties) > 0 {
			continue
		}
		if err := k.opts.Clock.Sleep(ctx, upgradeLook); err != nil {
			return Wrap(err, KindCancelled, "upgrade contracts", "stopped on request; %d contracts are left, and the workers go on with them", waiting)
		}
	}
}
