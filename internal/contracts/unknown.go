package contracts

import (
	"context"
	"fmt"
	"slices"
)

// Limits of one search.
const (
	maxUnknown        = 1000    // Contracts that are reported.
	maxOtherContracts = 100_000 // Creations by other registries that are remembered.
)

// FindUnknown returns the contracts that this registry created and does not have any more,
// oldest first, at most 1000: it was restored from a dump, or continued by a standby that
// lagged behind. Such a contract can never be found by its tenant, whose new attempt gets
// another one. Contracts older than the events of the RPC server, a week on public networks,
// are not found.
func (r *Reconciler) FindUnknown(ctx context.Context) (unknown []Creation, err error) {
	return r.search(ctx, r.chain.CreatedContracts)
}

// FindRemoved returns the contracts of FindUnknown and those that this registry anchored an
// audit chain in and does not have, however old they are: their tenants were lost, or removed by
// the database's owner. There is an event for each anchor of a week, so it takes longer.
func (r *Reconciler) FindRemoved(ctx context.Context) ([]Creation, error) {
	return r.search(ctx, r.chain.CreatedContracts, r.chain.AnchoredContracts)
}

// search returns the contracts of this registry that it does not have, each once.
func (r *Reconciler) search(ctx context.Context, reads ...func(context.Context, func([]Creation) error) error) (unknown []Creation, err error) {
	registry, err := r.store.SystemLog().RegistryID(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, read := range reads {
		err := read(ctx, func(page []Creation) error {
			candidates, err := r.filterUnknown(ctx, page)
			for _, c := range candidates {
				if err != nil || known[c.ContractID] || len(unknown) >= maxUnknown {
					continue
				}
				var creator Creator
				switch creator, err = r.chain.CreatedBy(ctx, registry, c); creator {
				case CreatorOther:
					r.rememberOther(c)
				case CreatorThisRegistry:
					unknown, known[c.ContractID] = append(unknown, c), true
				case CreatorUnknown:
				}
			}
			return err
		})
		if err != nil {
			return unknown, err
		}
	}
	return unknown, nil
}

// filterUnknown returns the contracts that the registry does not have, without those that are
// known to be another registry's.
func (r *Reconciler) filterUnknown(ctx context.Context, page []Creation) ([]Creation, error) {
	r.mu.Lock()
	candidates := slices.DeleteFunc(slices.Clone(page), func(c Creation) bool { return r.others[c] })
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

func (r *Reconciler) rememberOther(c Creation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.others == nil || len(r.others) >= maxOtherContracts {
		r.others = map[Creation]bool{}
	}
	r.others[c] = true
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
