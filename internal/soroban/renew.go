package soroban

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/ledger"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/txsubmit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// The number of contracts that one transaction extends or restores. Restored entries are
// read from disk and written, and the network allows fewer of those.
const (
	extendBatchSize  = 100
	restoreBatchSize = 30
)

// RenewContracts restores archived entries, then extends those that expire within
// contracts.RenewAhead, code before contracts.
func (d *Deployer) RenewContracts(
	ctx context.Context, txLog txlog.Log, snapshots []contracts.Snapshot,
) (contracts.Renewal, error) {
	if err := d.client.CheckNetwork(ctx); err != nil {
		return contracts.Renewal{}, err
	}
	r := &renewTask{Deployer: d, Session: d.submitter.NewSession(txLog, "")}
	err := r.run(ctx, snapshots)
	r.done.FeeCharged = r.Totals().FeeCharged
	return r.done, err
}

// renewTask renews contracts with the transactions of one session.
type renewTask struct {
	*Deployer
	*txsubmit.Session
	done contracts.Renewal
}

// renewalItem is a contract of a batch.
type renewalItem struct {
	state    contracts.Snapshot
	key      xdr.LedgerKey
	lifetime contracts.State // Of the contract's entry, without its code's.
}

func (r *renewTask) run(ctx context.Context, snapshots []contracts.Snapshot) error {
	errs := []error{r.renewCodes(ctx, snapshots)}
	for _, pass := range []struct {
		state contracts.State
		size  int
		act   func([]renewalItem) *txsubmit.Spec
	}{
		{contracts.StateExpired, restoreBatchSize, r.restoreManySpec},
		{contracts.StateExpiring, extendBatchSize, r.extendManySpec},
	} {
		items, err := r.readItems(ctx, snapshots)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		var batch []renewalItem
		for _, s := range items {
			if s.lifetime == pass.state {
				batch = append(batch, s)
			}
		}
		for part := range slices.Chunk(batch, pass.size) {
			errs = append(errs, r.renewBatch(ctx, part, pass.act))
		}
	}
	return errors.Join(errs...)
}

// renewCodes renews the code of the contracts. Each code has a separate transaction,
// with the ceiling for code.
func (r *renewTask) renewCodes(ctx context.Context, contracts []contracts.Snapshot) error {
	hashes := map[xdr.Hash]bool{}
	for _, c := range contracts {
		if hash, ok := codeHashOf(c); ok {
			hashes[hash] = true
		}
	}
	var errs []error
	for hash := range hashes {
		errs = append(errs, r.renewCode(ctx, hash))
	}
	return errors.Join(errs...)
}

func (r *renewTask) renewCode(ctx context.Context, hash xdr.Hash) error {
	for range 2 { // Restored first, then extended.
		found, at, err := r.Entries(ctx, ledger.CodeKey(hash))
		if err != nil {
			return err
		}
		if found[0].DataXDR == "" {
			return errs.Errorf(errs.KindPermanent, "renew code", "the ledger has no code %x", hash)
		}
		var a *txsubmit.Spec
		switch life, _ := ledger.LifetimeOf(found[0], at); life {
		case contracts.StateExpired:
			a = r.restoreCodeSpec(hash)
		case contracts.StateExpiring:
			a = extendSpec("the extension of the time to live of the contract's code", ledger.CodeKey(hash))
			a.MaxFee, a.Setting, a.Shared = r.opts.MaxUploadFee, "SOROBAN_MAX_UPLOAD_FEE", true
		default:
			return nil
		}
		if err := r.Perform(ctx, a); err != nil {
			return err
		}
		r.done.Codes++
	}
	return nil
}

// readItems reads the contracts' entries again, with the results of earlier passes.
func (r *renewTask) readItems(ctx context.Context, contracts []contracts.Snapshot) ([]renewalItem, error) {
	var items []renewalItem
	for batch := range slices.Chunk(contracts, ledger.MaxKeys) {
		keys := make([]xdr.LedgerKey, len(batch))
		for i, c := range batch {
			to, err := r.target(c.TenantID)
			if err != nil {
				return nil, err
			}
			keys[i] = ledger.InstanceKey(to.id)
		}
		found, at, err := r.Entries(ctx, keys...)
		if err != nil {
			return nil, err
		}
		for i, entry := range found {
			if entry.DataXDR == "" {
				continue
			}
			life, _ := ledger.LifetimeOf(entry, at)
			items = append(items, renewalItem{batch[i], keys[i], life})
		}
	}
	return items, nil
}

// renewBatch renews contracts in one transaction. When that is rejected permanently,
// because of its size or of one contract, each half is tried.
func (r *renewTask) renewBatch(ctx context.Context, batch []renewalItem, specOf func([]renewalItem) *txsubmit.Spec) error {
	r.ResetRetries()
	a := specOf(batch)
	err := r.Perform(ctx, a)
	switch {
	case err == nil:
		renewed := &r.done.Extended
		if a.Purpose == txlog.PurposeRestore {
			renewed = &r.done.Restored
		}
		for _, s := range batch {
			*renewed = append(*renewed, s.state.TenantID)
		}
		return nil
	case errs.KindOf(err) == errs.KindPermanent && len(batch) > 1:
		half := len(batch) / 2
		return errors.Join(r.renewBatch(ctx, batch[:half], specOf), r.renewBatch(ctx, batch[half:], specOf))
	}
	return err
}

func (r *renewTask) restoreManySpec(batch []renewalItem) *txsubmit.Spec {
	a := restoreSpec(fmt.Sprintf("the restoration of %d contracts", len(batch)), keysOf(batch)...)
	return r.charge(a, batch)
}

func (r *renewTask) extendManySpec(batch []renewalItem) *txsubmit.Spec {
	a := extendSpec(fmt.Sprintf("the extension of %d contracts' time to live", len(batch)), keysOf(batch)...)
	return r.charge(a, batch)
}

// charge allows a transaction MaxFee for each contract, and books that of one contract
// on its tenant.
func (r *renewTask) charge(a *txsubmit.Spec, batch []renewalItem) *txsubmit.Spec {
	a.MaxFee, a.Setting = min(r.opts.MaxFee*int64(len(batch)), math.MaxUint32), "SOROBAN_MAX_FEE"
	if len(batch) == 1 {
		a.Tenant = batch[0].state.TenantID
	}
	return a
}

func keysOf(batch []renewalItem) []xdr.LedgerKey {
	keys := make([]xdr.LedgerKey, len(batch))
	for i, s := range batch {
		keys[i] = s.key
	}
	return keys
}
