package soroban

import (
	"context"
)

// settle finds out what became of the transactions that earlier runs left open,
// of whichever tenant: they hold the account's next sequence numbers. What was
// stored and perhaps never sent is sent now, as long as it may live; the tenant
// it is for will find its contract there. What the network does not want any more
// is waited for until it is dead, and is no fault of this deployment.
func (r *deployment) settle(ctx context.Context) error {
	for _, tx := range r.lease.Unresolved() {
		p := r.pursue(tx)
		p.uncertain = true
		end, err := p.ask(ctx)
		if err != nil {
			return err
		}
		if end == nil {
			last, err := p.run(ctx)
			if err != nil {
				return err
			}
			end = &last
		}
		if err := r.resolve(ctx, tx, *end); err != nil {
			return err
		}
		if tx.ContractID == r.to.address {
			r.claim(tx, *end)
		}
	}
	return nil
}
