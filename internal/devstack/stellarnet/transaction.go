package stellarnet

import (
	"crypto/sha256"
	"errors"

	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// transaction is a signed envelope with what is asked of it again and again.
type transaction struct {
	envelope xdr.TransactionEnvelope
	hash     xdr.Hash // Of the contents: what is signed, and the transaction's name.
	fullHash xdr.Hash // Of the envelope, signatures included: what makes a duplicate.
	size     uint32   // Of the envelope's XDR.
}

var errHash = errors.New("invalid_hash")

func newTransaction(env xdr.TransactionEnvelope, passphrase string) (*transaction, error) {
	hash, err := network.HashTransactionInEnvelope(env, passphrase)
	if err != nil {
		return nil, errHash
	}
	raw := marshal(env)
	return &transaction{
		envelope: env,
		hash:     hash,
		fullHash: sha256.Sum256(raw),
		size:     uint32(len(raw)),
	}, nil
}

func (t *transaction) source() xdr.AccountId       { return t.envelope.SourceAccount().ToAccountId() }
func (t *transaction) operations() []xdr.Operation { return t.envelope.Operations() }
func (t *transaction) seqNum() int64               { return t.envelope.SeqNum() }
func (t *transaction) fullFee() int64              { return int64(t.envelope.Fee()) }

// opSource is the account on whose behalf an operation runs.
func (t *transaction) opSource(op xdr.Operation) xdr.AccountId {
	if op.SourceAccount != nil {
		return op.SourceAccount.ToAccountId()
	}
	return t.source()
}

func (t *transaction) isSoroban() bool {
	ops := t.operations()
	return len(ops) > 0 && isSorobanOp(ops[0])
}

// soroban is the footprint, resources and resource fee, nil when there are none.
func (t *transaction) soroban() *xdr.SorobanTransactionData {
	if t.envelope.V1 == nil {
		return nil
	}
	return t.envelope.V1.Tx.Ext.SorobanData
}

// archivedIndices names the read-write entries that are to be restored on the way.
func archivedIndices(data *xdr.SorobanTransactionData) []uint32 {
	if data.Ext.ResourceExt == nil {
		return nil
	}
	out := make([]uint32, len(data.Ext.ResourceExt.ArchivedSorobanEntries))
	for i, index := range data.Ext.ResourceExt.ArchivedSorobanEntries {
		out[i] = uint32(index)
	}
	return out
}

// inclusionFee is what is bid for a place in the ledger.
func (t *transaction) inclusionFee() int64 {
	if data := t.soroban(); data != nil && t.isSoroban() {
		return t.fullFee() - int64(data.ResourceFee)
	}
	return t.fullFee()
}

// baseFeeTotal is the least inclusion fee that is accepted, and, as nothing here
// is ever auctioned, the most that is charged.
func (t *transaction) baseFeeTotal() int64 {
	return baseFee * int64(max(1, len(t.operations())))
}

func isSorobanOp(op xdr.Operation) bool {
	switch op.Body.Type {
	case xdr.OperationTypeInvokeHostFunction,
		xdr.OperationTypeExtendFootprintTtl,
		xdr.OperationTypeRestoreFootprint:
		return true
	default:
		return false
	}
}
