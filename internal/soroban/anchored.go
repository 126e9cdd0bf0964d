package soroban

import (
	"context"
	"slices"

	"github.com/google/uuid"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/ledger"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/txsubmit"
)

// maxSeenContracts limits the memory for contracts whose anchor was read; those beyond it are
// looked up again.
const maxSeenContracts = 200_000

// AnchoredContracts reads the events of anchors, and returns those of contracts whose admin on
// the ledger is this deployer, each once. Other accounts can publish the same event, and make
// contracts with this admin: see CreatedBy.
func (d *Deployer) AnchoredContracts(ctx context.Context, each func([]contracts.Creation) error) error {
	seen := map[string]bool{}
	return d.readEvents(ctx, "anchored", func(events []protocol.EventInfo) error {
		var fresh []protocol.EventInfo
		for _, e := range events {
			if e.Ledger >= 0 && !seen[e.ContractID] {
				seen[e.ContractID], fresh = true, append(fresh, e)
			}
		}
		if len(seen) > maxSeenContracts {
			clear(seen)
		}
		for chunk := range slices.Chunk(fresh, ledger.MaxKeys) {
			own, err := d.administered(ctx, chunk)
			if err == nil {
				err = each(own)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// administered returns the anchors of contracts whose admin is this deployer.
func (d *Deployer) administered(ctx context.Context, events []protocol.EventInfo) (own []contracts.Creation, err error) {
	var (
		keys    []xdr.LedgerKey
		anchors []contracts.Creation
	)
	for _, e := range events {
		raw, err := strkey.Decode(strkey.VersionByteContract, e.ContractID)
		if err != nil || len(raw) != len(xdr.ContractId{}) {
			continue
		}
		anchor := creationOf(e)
		anchor.Anchored = true
		keys, anchors = append(keys, ledger.InstanceKey(xdr.ContractId(raw))), append(anchors, anchor)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	entries, _, err := d.reader.Entries(ctx, keys...)
	if err != nil {
		return nil, err
	}
	for i, entry := range entries {
		if entry.DataXDR == "" { // It ended, or never was.
			continue
		}
		instance, err := ledger.InstanceOf(entry)
		if err != nil {
			return nil, err
		}
		if admin, ok := ledger.StoredValue(instance, "Admin").GetAddress(); ok && admin.Equals(accountAddress(d.submitter.Account())) {
			own = append(own, anchors[i])
		}
	}
	return own, nil
}

// CreatedBy reads the transaction: it must create the contract from the deployer's address, or
// call it as the deployer, which both need the deployer's signature, and have the registry's
// minTime.
func (d *Deployer) CreatedBy(ctx context.Context, registry uuid.UUID, c contracts.Creation) (contracts.Creator, error) {
	got, err := d.client.Transaction(ctx, c.TransactionHash)
	if err != nil || got.Status != protocol.TransactionStatusSuccess {
		return contracts.CreatorUnknown, err
	}
	var envelope xdr.TransactionEnvelope
	if err := xdr.SafeUnmarshalBase64(got.EnvelopeXDR, &envelope); err != nil {
		return contracts.CreatorUnknown, rpc.MalformedXDR(err, "read transaction")
	}
	made := d.createsContract
	if c.Anchored {
		made = d.callsContract
	}
	if txsubmit.IsOfRegistry(envelope, registry) && made(envelope, c.ContractID) {
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

// callsContract reports whether the deployer calls the contract in a transaction.
func (d *Deployer) callsContract(envelope xdr.TransactionEnvelope, contract string) bool {
	deployer := d.submitter.Account()
	for _, op := range envelope.Operations() {
		f := op.Body.InvokeHostFunctionOp
		if f == nil || f.HostFunction.InvokeContract == nil {
			continue
		}
		source := envelope.SourceAccount()
		if op.SourceAccount != nil {
			source = *op.SourceAccount
		}
		if by := source.ToAccountId(); !by.Equals(deployer) {
			continue
		}
		id := f.HostFunction.InvokeContract.ContractAddress.ContractId
		if id == nil {
			continue
		}
		if address, err := strkey.Encode(strkey.VersionByteContract, id[:]); err == nil && address == contract {
			return true
		}
	}
	return false
}
