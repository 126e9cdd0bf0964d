package soroban

import (
	"context"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/ledger"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/txsubmit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// ChangeContract changes the status, anchor or code of a tenant's contract: it reads the
// ledger, calls the contract if needed, and reads again. Its errors are those of Deploy.
func (d *Deployer) ChangeContract(
	ctx context.Context, txLog txlog.Log, tenant uuid.UUID, change contracts.Change,
) (int64, error) {
	if _, known := ledger.StatusNumbers[change.Status]; change.Purpose == txlog.PurposeStatus && !known {
		return 0, errs.Errorf(errs.KindPermanent, "change contract", "%q is not a contract status", change.Status)
	}
	to, err := d.target(tenant)
	if err != nil {
		return 0, err
	}
	r := d.newTask(txLog, to)
	err = r.begin(ctx)
	if err == nil && change.Purpose == txlog.PurposeUpgrade {
		err = r.ensure(ctx, r.planCode)
	}
	if err == nil {
		err = r.change(ctx, change)
	}
	return r.Totals().FeeCharged, err
}

// change repeats until the contract is as requested.
func (r *contractTask) change(ctx context.Context, change contracts.Change) error {
	for range txsubmit.MaxRounds {
		_, next, err := r.nextStep(ctx, func(v ledger.View) (*txsubmit.Spec, error) { return r.planChange(v, change) })
		if next == nil || err != nil {
			return err
		}
		if err := r.Attempt(ctx, next); err != nil {
			return err
		}
	}
	return r.NotDone()
}
