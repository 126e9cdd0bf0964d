package soroban

import (
	"context"
	"time"

	"github.com/google/uuid"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/txsubmit"
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
	q := constructedEvents(max(1, min(oldest, latest)))
	for range maxCreatedPages {
		page, err := d.client.Events(ctx, q)
		if err != nil {
			return err
		}
		if err := each(d.creationsOf(page.Events)); err != nil {
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

// constructedEvents is the query for the event Constructed of all contracts.
func constructedEvents(from uint32) protocol.GetEventsRequest {
	symbol, anyValue := xdr.ScSymbol("constructed"), protocol.WildCardExactOne
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
		closed, _ := time.Parse(time.RFC3339, e.LedgerClosedAt)
		all = append(all, contracts.Creation{
			ContractID: e.ContractID, TransactionHash: e.TransactionHash, Ledger: uint32(e.Ledger), ClosedAt: closed,
		})
	}
	return all
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

// CreatedBy reads the transaction: it must create the contract from the deployer's address,
// which needs the deployer's signature, and have the registry's minTime.
func (d *Deployer) CreatedBy(ctx context.Context, registry uuid.UUID, c contracts.Creation) (contracts.Creator, error) {
	got, err := d.client.Transaction(ctx, c.TransactionHash)
	if err != nil || got.Status != protocol.TransactionStatusSuccess {
		return contracts.CreatorUnknown, err
	}
	var envelope xdr.TransactionEnvelope
	if err := xdr.SafeUnmarshalBase64(got.EnvelopeXDR, &envelope); err != nil {
		return contracts.CreatorUnknown, rpc.MalformedXDR(err, "read transaction")
	}
	if txsubmit.IsOfRegistry(envelope, registry) && d.createsContract(envelope, c.ContractID) {
		return contracts.CreatorThisRegistry, nil
	}
	return contracts.CreatorOther, nil
}

// createsContract reports whether a transaction creates the contract from the deployer's
// address.
func (d *Deployer) createsContract(envelope xdr.TransactionEnvelope, contract string) bool {
	for _, op := range envelope.Operations() {
		f := op.Body.InvokeHostFunctionOp
		if f == nil || f.HostFunction.CreateContractV2 == nil {
			continue
		}
		preimage := f.HostFunction.CreateContractV2.ContractIdPreimage
		if from := preimage.FromAddress; from == nil || !from.Address.Equals(accountAddress(d.submitter.Account())) {
			continue
		}
		id, err := contractIDOf(d.opts.Passphrase, preimage)
		if err != nil {
			continue
		}
		if address, err := strkey.Encode(strkey.VersionByteContract, id[:]); err == nil && address == contract {
			return true
		}
	}
	return false
}
