package contracts

import (
	"context"
	"fmt"
	"slices"
)

// Limits of one search.
const (
	maxUnknown        = 1000    // Contracts that are reported.
	maxOtherContracts = 100_000 // Contracts of other registries that are remembered.
)

// FindUnknown returns the contracts that this registry created and does not have any more,
// oldest first, at most 1000: it was restored from a dump, or continued by a standby that
// lagged behind. Such a contract can never be found by its tenant, whose new attempt gets
// another one. Contracts older than the events of the RPC server, a week on public networks,
// are not found.
func (r *Reconciler) FindUnknown(ctx context.Context) (unknown []Creation, err error) {
	registry, err := r.store.SystemLog().RegistryID(ctx)
	if err != nil {
		return nil, err
	}
	err = r.chain.CreatedContracts(ctx, func(page []Creation) error {
		candidates, err := r.filterUnknown(ctx, page)
		if err != nil {
			return err
		}
		for _, c := range candidates {
			creator, err := r.chain.CreatedBy(ctx, registry, c)
			switch {
			case err != nil:
				return err
			case creator == CreatorOther:
				r.rememberOther(c.ContractID)
			case creator == CreatorThisRegistry && len(unknown) < maxUnknown:
				unknown = append(unknown, c)
			}
		}
		return nil
	})
	return unknown, err
}

// filterUnknown returns the contracts that the registry does not have, without those that are
// known to be another registry's.
func (r *Reconciler) filterUnknown(ctx context.Context, page []Creation) ([]Creation, error) {
	r.mu.Lock()
	candidates := slices.DeleteFunc(slices.Clone(page), func(c Creation) bool { return r.others[c.ContractID] })
	r.mu.Unlock()
	if len(candidates) == 0 {
		return nil, nil
	}
	ids := make([]string, len(candidates))
	for i, c := range candidates {
		ids[i] = c.ContractID
	}
	missing, err := r.store.UnknownContracts(ctx, ids)
	return slices.DeleteFunc(candidates, func(c Creation) bool { return !slices.Contains(missing, c.ContractID) }), err
}

func (r *Reconciler) rememberOther(contract string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.others == nil || len(r.others) >= maxOtherContracts {
		r.others = map[string]bool{}
	}
	r.others[contract] = true
}

// findUnknown looks for unknown contracts, once in UnknownInterval.
func (r *Reconciler) findUnknown(ctx context.Context, report *Report) (err error) {
	if !r.due(&r.unknownDueAt, r.opts.UnknownInterval) {
		return nil
	}
	if report.Unknown, err = r.FindUnknown(ctx); err != nil {
		return fmt.Errorf("find unknown contracts: %w", err)
	}
	report.UnknownRead = true
	return nil
}
