package soroban

import (
	"context"
	"time"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Limits of the search for created contracts. A server's page covers at most 10,000 ledgers,
// and it has events of about 120,000.
const (
	createdPerPage  = 1000
	maxCreatedPages = 1000
	// oldestMargin is how many of the server's oldest ledgers are not read: it drops them
	// while it is queried.
	oldestMargin = 20
)

// CreatedContracts reads the events that constructors published with this deployer as admin.
// Other accounts can publish the same event: see CreatedBy.
func (d *Deployer) CreatedContracts(ctx context.Context, each func([]contracts.Creation) error) error {
	return d.readEvents(ctx, "constructed", func(events []protocol.EventInfo) error { return each(d.creationsOf(events)) })
}

// readEvents reads the events of a name that any contract published, a page at a time.
func (d *Deployer) readEvents(ctx context.Context, name xdr.ScSymbol, each func([]protocol.EventInfo) error) error {
	if err := d.client.CheckNetwork(ctx); err != nil {
		return err
	}
	oldest, latest, err := d.client.LedgerRange(ctx)
	if err != nil {
		return err
	}
	if oldest > 1 {
		oldest += oldestMargin
	}
	q := eventsNamed(name, max(1, min(oldest, latest)))
	for range maxCreatedPages {
		page, err := d.client.Events(ctx, q)
		if err != nil {
			return err
		}
		if err := each(page.Events); err != nil {
			return err
		}
		next, err := protocol.ParseCursor(page.Cursor)
		if err != nil || q.Pagination.Cursor != nil && next.Cmp(*q.Pagination.Cursor) <= 0 {
			return errs.Errorf(errs.KindTransient, "read contract events", "the Stellar RPC server returned the cursor %.40q, which does not lead to the next page", page.Cursor)
		}
		if len(page.Events) < createdPerPage && next.Ledger >= latest {
			return nil
		}
		q.StartLedger, q.Pagination.Cursor = 0, &next
	}
	return errs.Errorf(errs.KindTransient, "read contract events", "the Stellar RPC server returned more than %d pages of events", maxCreatedPages)
}

// eventsNamed is the query for an event with one more topic, of all contracts.
func eventsNamed(symbol xdr.ScSymbol, from uint32) protocol.GetEventsRequest {
	anyValue := protocol.WildCardExactOne
	return protocol.GetEventsRequest{
		StartLedger: from,
		Filters: []protocol.EventFilter{{
			EventType: protocol.EventTypeSet{protocol.EventTypeContract: nil},
			Topics: []protocol.TopicFilter{{
				{ScVal: &xdr.ScVal{Type: xdr.ScValTypeScvSymbol, Sym: &symbol}}, {Wildcard: &anyValue},
			}},
		}},
		Pagination: &protocol.PaginationOptions{Limit: createdPerPage},
	}
}

// creationsOf returns the events of this deployer's contracts. Other contracts may publish
// anything under the same name.
func (d *Deployer) creationsOf(events []protocol.EventInfo) (all []contracts.Creation) {
	for _, e := range events {
		var data xdr.ScVal
		if xdr.SafeUnmarshalBase64(e.ValueXDR, &data) != nil || !d.isAdminOf(data) || e.Ledger < 0 {
			continue
		}
		all = append(all, creationOf(e))
	}
	return all
}

// creationOf is the creation that an event with a valid ledger reports.
func creationOf(e protocol.EventInfo) contracts.Creation {
	closed, _ := time.Parse(time.RFC3339, e.LedgerClosedAt)
	return contracts.Creation{ContractID: e.ContractID, TransactionHash: e.TransactionHash, Ledger: uint32(e.Ledger), ClosedAt: closed} //nolint:gosec // Checked by the caller.
}

// isAdminOf reports whether an event's data is the map {admin: the deployer}.
func (d *Deployer) isAdminOf(data xdr.ScVal) bool {
	m, ok := data.GetMap()
	if !ok || m == nil || len(*m) != 1 {
		return false
	}
	name, ok := (*m)[0].Key.GetSym()
	admin, isAddress := (*m)[0].Val.GetAddress()
	return ok && isAddress && name == "admin" && admin.Equals(accountAddress(d.submitter.Account()))
}
