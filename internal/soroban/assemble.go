package soroban

import (
	"context"
	"encoding/hex"
	"regexp"
	"time"

	"github.com/stellar/go-stellar-sdk/network"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// lifetime is how long a transaction is good for, from the latest ledger. It is
// the longest that anybody has to wait for an account after a lost answer.
const lifetime = 60 * time.Second

// resourceMargin is what is added to the simulated resource fee: a fifth. Prices
// depend on the ledger's size and may rise until the transaction is applied; most of
// what is too much comes back.
const resourceMargin = 5

// simulationError is what the simulation found wrong with an act.
type simulationError struct {
	code string // As "Storage, ExistingValue"; empty when none was named.
	text string // The whole of it, for the log.
	err  error  // What to say when it stays so.
}

func (e *simulationError) Error() string { return "simulation: " + e.text }

// hostError finds the code in the text of a simulation's error; it is in no
// field of its own.
var hostError = regexp.MustCompile(`HostError: Error\((\w+, #?\w+)\)`)

// assembled is a transaction that lacks its fee and signature.
type assembled struct {
	act      *act
	tx       xdr.Transaction
	resource int64
	built    uint32 // The latest ledger by then.
}

// restores reports whether the transaction brings back archived entries on the way.
func (a assembled) restores() bool {
	ext := a.tx.Ext.SorobanData.Ext.ResourceExt
	return a.act.purpose != provisioning.PurposeRestore && ext != nil && len(ext.ArchivedSorobanEntries) > 0
}

// assemble simulates an act and takes over what that found: the footprint and
// resources with their extension, which names what is restored on the way, and
// the authorization.
func (d *Deployer) assemble(ctx context.Context, a *act, sequence int64) (assembled, error) {
	now, err := d.rpc.latest(ctx, d.networkID)
	if err != nil {
		return assembled{}, err
	}
	tx := d.skeleton(a, sequence, now.LatestLedgerCloseTime)
	sim, err := d.rpc.simulate(ctx, xdr.TransactionEnvelope{
		Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: &xdr.TransactionV1Envelope{Tx: tx},
	})
	if err != nil {
		return assembled{}, err
	}
	if err := simulationFault(sim); err != nil {
		return assembled{}, err
	}
	var data xdr.SorobanTransactionData
	if err := xdr.SafeUnmarshalBase64(sim.TransactionDataXDR, &data); err != nil {
		return assembled{}, unusable(err, "read simulation")
	}
	least := max(sim.MinResourceFee, int64(data.ResourceFee))
	data.ResourceFee = xdr.Int64(least + (least+resourceMargin-1)/resourceMargin)
	tx.Ext = xdr.TransactionExt{V: 1, SorobanData: &data}
	if err := authorize(&tx.Operations[0], sim); err != nil {
		return assembled{}, unusable(err, "read simulation")
	}
	return assembled{act: a, tx: tx, resource: int64(data.ResourceFee), built: now.LatestLedger}, nil
}

// skeleton is what is known before the simulation. The time comes from the
// network, because this machine's clock may be off by more than the lifetime.
func (d *Deployer) skeleton(a *act, sequence, closeTime int64) xdr.Transaction {
	tx := xdr.Transaction{
		SourceAccount: d.account.ToMuxedAccount(),
		Fee:           MinFee,
		SeqNum:        xdr.SequenceNumber(sequence),
		Cond: xdr.Preconditions{
			Type:       xdr.PreconditionTypePrecondTime,
			TimeBounds: &xdr.TimeBounds{MaxTime: xdr.TimePoint(closeTime + int64(lifetime/time.Second))}, //nolint:gosec // a time of this century
		},
		Operations: []xdr.Operation{{Body: a.body}},
	}
	if f := a.body.InvokeHostFunctionOp; f != nil {
		own := *f // Each transaction gets its own authorization.
		tx.Operations[0].Body.InvokeHostFunctionOp = &own
	}
	if len(a.restore) > 0 {
		tx.Ext = xdr.TransactionExt{V: 1, SorobanData: &xdr.SorobanTransactionData{Resources: xdr.SorobanResources{
			Footprint: xdr.LedgerFootprint{ReadWrite: a.restore},
		}}}
	}
	return tx
}

func simulationFault(sim protocol.SimulateTransactionResponse) error {
	if sim.Error != "" {
		e := &simulationError{text: sim.Error}
		if found := hostError.FindStringSubmatch(sim.Error); found != nil {
			e.code = found[1]
		}
		return e
	}
	if sim.RestorePreamble != nil {
		// It was archived since the look; the next one will show it.
		return &simulationError{text: "something has to be restored first"}
	}
	return nil
}

func authorize(op *xdr.Operation, sim protocol.SimulateTransactionResponse) error {
	f := op.Body.InvokeHostFunctionOp
	if f == nil || len(sim.Results) == 0 || sim.Results[0].AuthXDR == nil {
		return nil
	}
	f.Auth = nil
	for _, encoded := range *sim.Results[0].AuthXDR {
		var entry xdr.SorobanAuthorizationEntry
		if err := xdr.SafeUnmarshalBase64(encoded, &entry); err != nil {
			return err
		}
		f.Auth = append(f.Auth, entry)
	}
	return nil
}

// sign gives the transaction its fee and signature, in the form in which it is
// stored and sent.
func (d *Deployer) sign(a assembled, inclusion int64, contractID string) (provisioning.StellarTransaction, error) {
	const op = "sign transaction"
	fee := a.resource + inclusion
	a.tx.Fee = xdr.Uint32(fee) //nolint:gosec // bid keeps it below the largest fee that can be written
	hash, err := network.HashTransaction(a.tx, d.opts.Passphrase)
	if err != nil {
		return provisioning.StellarTransaction{}, unusable(err, op)
	}
	signature, err := d.signer.SignDecorated(hash[:])
	if err != nil {
		return provisioning.StellarTransaction{}, unusable(err, op)
	}
	envelope, err := xdr.MarshalBase64(xdr.TransactionEnvelope{
		Type: xdr.EnvelopeTypeEnvelopeTypeTx,
		V1:   &xdr.TransactionV1Envelope{Tx: a.tx, Signatures: []xdr.DecoratedSignature{signature}},
	})
	if err != nil {
		return provisioning.StellarTransaction{}, unusable(err, op)
	}
	tx := provisioning.StellarTransaction{
		Hash: hex.EncodeToString(hash[:]), Envelope: envelope, Source: d.Address(), Sequence: int64(a.tx.SeqNum),
		Purpose: a.act.purpose, ContractID: contractID, NetworkID: d.networkID,
		ValidUntil:      time.Unix(int64(a.tx.Cond.TimeBounds.MaxTime), 0), //nolint:gosec // as above
		SubmittedLedger: a.built, MaxFee: fee,
	}
	return tx, nil
}
