package soroban

import (
	"context"
	"errors"
	"fmt"
	"math"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// How many contracts one transaction extends or restores. Restored entries are read from
// disk and written, and the network allows fewer of those.
const (
	extendBatchSize  = 100
	restoreBatchSize = 30
)

// RenewContracts restores archived entries, then extends those that expire within
// contracts.RenewAhead, code before contracts.
func (d *Deployer) RenewContracts(
	ctx context.Context, journal txlog.Log, snapshots []contracts.Snapshot,
) (contracts.Renewal, error) {
	if err := d.checkNetwork(ctx); err != nil {
		return contracts.Renewal{}, err
	}
	r := &renewTx{txSession: txSession{Deployer: d, journal: journal}}
	err := r.run(ctx, snapshots)
	r.done.FeeCharged = r.contract.FeeCharged
	return r.done, err
}

type renewTx struct {
	txSession
	done contracts.Renewal
}

// renewalItem is a contract of a batch.
type renewalItem struct {
	state    contracts.Snapshot
	key      xdr.LedgerKey
	lifetime contracts.State // Of the contract's entry, without its code's.
}

func (r *renewTx) run(ctx context.Context, snapshots []contracts.Snapshot) error {
	errs := []error{r.renewCodes(ctx, snapshots)}
	for _, pass := range []struct {
		state contracts.State
		size  int
		act   func([]renewalItem) *txSpec
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
		for begin := 0; begin < len(batch); begin += pass.size {
			errs = append(errs, r.renewBatch(ctx, batch[begin:min(begin+pass.size, len(batch))], pass.act))
		}
	}
	return errors.Join(errs...)
}

// renewCodes renews the code of the contracts. Each code has a separate transaction,
// with the ceiling for code.
func (r *renewTx) renewCodes(ctx context.Context, contracts []contracts.Snapshot) error {
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

func (r *renewTx) renewCode(ctx context.Context, hash xdr.Hash) error {
	for range 2 { // Restored first, then extended.
		found, ledger, err := r.readCurrent(ctx, codeKey(hash))
		if err != nil {
			return err
		}
		if found[0].DataXDR == "" {
			return errs.Errorf(errs.KindPermanent, "renew code", "the ledger has no code %x", hash)
		}
		var a *txSpec
		switch life, _ := lifetimeOf(found[0], ledger); life {
		case contracts.StateExpired:
			a = r.restoreCodeSpec(hash)
		case contracts.StateExpiring:
			a = extendSpec("the extension of the time to live of the contract's code")
			a.extend, a.shared = []xdr.LedgerKey{codeKey(hash)}, true
			a.maxFee, a.setting = r.opts.MaxUploadFee, "SOROBAN_MAX_UPLOAD_FEE"
		default:
			return nil
		}
		if err := r.perform(ctx, a); err != nil {
			return err
		}
		r.done.Codes++
	}
	return nil
}

// readItems reads the contracts' entries again, with the results of earlier passes.
func (r *renewTx) readItems(ctx context.Context, contracts []contracts.Snapshot) ([]renewalItem, error) {
	var items []renewalItem
	for begin := 0; begin < len(contracts); begin += maxKeys {
		batch := contracts[begin:min(begin+maxKeys, len(contracts))]
		keys := make([]xdr.LedgerKey, len(batch))
		for i, c := range batch {
			to, err := r.target(c.TenantID)
			if err != nil {
				return nil, err
			}
			keys[i] = instanceKey(to.id)
		}
		found, ledger, err := r.readCurrent(ctx, keys...)
		if err != nil {
			return nil, err
		}
		for i, entry := range found {
			if entry.DataXDR == "" {
				continue
			}
			life, _ := lifetimeOf(entry, ledger)
			items = append(items, renewalItem{batch[i], keys[i], life})
		}
	}
	return items, nil
}

// readCurrent returns a read that is not older than this renewal's transactions.
func (r *renewTx) readCurrent(ctx context.Context, keys ...xdr.LedgerKey) (found []protocol.LedgerEntryResult, ledger uint32, err error) {
	current, err := r.waitForLedger(ctx, func() (_ bool, err error) {
		found, ledger, err = r.readEntries(ctx, r.reads, keys...)
		return ledger >= r.appliedLedger, err
	})
	if err == nil && !current {
		err = r.lagging(ledger)
	}
	return found, ledger, err
}

// renewBatch renews contracts in one transaction. When that is rejected permanently,
// because of its size or of one contract, each half is tried.
func (r *renewTx) renewBatch(ctx context.Context, batch []renewalItem, specOf func([]renewalItem) *txSpec) error {
	r.unsent, r.failures, r.simulations = retryCount{}, 0, retryCount{}
	a := specOf(batch)
	err := r.perform(ctx, a)
	switch {
	case err == nil:
		renewed := &r.done.Extended
		if a.purpose == txlog.PurposeRestore {
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

func (r *renewTx) restoreManySpec(batch []renewalItem) *txSpec {
	a := &txSpec{
		purpose: txlog.PurposeRestore, description: fmt.Sprintf("the restoring of %d contracts", len(batch)),
		body:   xdr.OperationBody{Type: xdr.OperationTypeRestoreFootprint, RestoreFootprintOp: &xdr.RestoreFootprintOp{}},
		maxFee: r.maxFeeFor(len(batch)), setting: "SOROBAN_MAX_FEE",
	}
	for _, s := range batch {
		a.restore = append(a.restore, s.key)
	}
	r.bookOnTenant(a, batch)
	return a
}

func (r *renewTx) extendManySpec(batch []renewalItem) *txSpec {
	a := extendSpec(fmt.Sprintf("the extension of %d contracts' time to live", len(batch)))
	a.maxFee, a.setting = r.maxFeeFor(len(batch)), "SOROBAN_MAX_FEE"
	for _, s := range batch {
		a.extend = append(a.extend, s.key)
	}
	r.bookOnTenant(a, batch)
	return a
}

// bookOnTenant charges a transaction of one contract to its tenant.
func (r *renewTx) bookOnTenant(a *txSpec, batch []renewalItem) {
	if len(batch) == 1 {
		a.tenant = batch[0].state.TenantID
	}
}

// maxFeeFor is MaxFee for n contracts.
func (r *renewTx) maxFeeFor(contracts int) int64 {
	return min(r.opts.MaxFee*int64(contracts), math.MaxUint32)
}

func extendSpec(description string) *txSpec {
	return &txSpec{
		purpose: txlog.PurposeExtend, description: description,
		body: xdr.OperationBody{
			Type: xdr.OperationTypeExtendFootprintTtl, ExtendFootprintTtlOp: &xdr.ExtendFootprintTtlOp{ExtendTo: contracts.ExtendTo},
		},
	}
}
