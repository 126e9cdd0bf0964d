package stellarnet

import (
	"crypto/sha256"
	"errors"

	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// transaction is a signed envelope with often used values. A fee bump returns the values
// of its inner transaction, except for hash, fee, fee source, and the number of
// operations, which is one higher.
type transaction struct {
	envelope     xdr.TransactionEnvelope
	hash         xdr.Hash     // Of the contents: the signed hash and the transaction's id.
	envelopeHash xdr.Hash     // Of the envelope, signatures included: identifies duplicates.
	size         uint32       // Of the envelope's XDR.
	inner        *transaction // The inner transaction of a fee bump; nil for others.
}

var errInvalidHash = errors.New("invalid_hash")

func newTransaction(env xdr.TransactionEnvelope, passphrase string) (*transaction, error) {
	hash, err := network.HashTransactionInEnvelope(env, passphrase)
	if err != nil {
		return nil, errInvalidHash
	}
	raw := marshal(env)
	t := &transaction{
		envelope:     env,
		hash:         hash,
		envelopeHash: sha256.Sum256(raw),
		size:         uint32(len(raw)),
	}
	if env.IsFeeBump() {
		inner := xdr.TransactionEnvelope{Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: env.FeeBump.Tx.InnerTx.V1}
		if t.inner, err = newTransaction(inner, passphrase); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// hashes are the hashes that find the transaction.
func (t *transaction) hashes() []xdr.Hash {
	if t.inner != nil {
		return []xdr.Hash{t.hash, t.inner.hash}
	}
	return []xdr.Hash{t.hash}
}

// innermostTx is the transaction that has the operations.
func (t *transaction) innermostTx() *transaction {
	if t.inner != nil {
		return t.inner
	}
	return t
}

func (t *transaction) source() xdr.AccountId       { return t.envelope.SourceAccount().ToAccountId() }
func (t *transaction) feeSource() xdr.AccountId    { return t.envelope.FeeAccount().ToAccountId() }
func (t *transaction) operations() []xdr.Operation { return t.envelope.Operations() }
func (t *transaction) seqNum() int64               { return t.envelope.SeqNum() }

func (t *transaction) fullFee() int64 {
	if t.inner != nil {
		return t.envelope.FeeBumpFee()
	}
	return int64(t.envelope.Fee())
}

// operationCount is the number of operations that fees are computed with.
func (t *transaction) operationCount() int64 {
	count := int64(len(t.operations()))
	if t.inner != nil {
		count++
	}
	return max(1, count)
}

// opSource is the source account of an operation.
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

// soroban returns footprint, resources and resource fee; nil when there are none.
func (t *transaction) soroban() *xdr.SorobanTransactionData {
	env := t.innermostTx().envelope
	if env.V1 == nil {
		return nil
	}
	return env.V1.Tx.Ext.SorobanData
}

// resourceFeeBid is the declared resource fee; classic transactions have none.
func (t *transaction) resourceFeeBid() int64 {
	if data := t.soroban(); data != nil && t.isSoroban() {
		return int64(data.ResourceFee)
	}
	return 0
}

// pricedSize is the transaction's size in the resource fee: the envelope of a fee bump
// is free.
func (t *transaction) pricedSize() uint32 { return t.innermostTx().size }

// hasConsistentFees reports whether the queue can compute the transaction's fee:
// contract transactions have resources, others have none, and no fee is negative.
func (t *transaction) hasConsistentFees() bool {
	return t.isSoroban() == (t.soroban() != nil) && t.hasValidFee() && t.innermostTx().hasValidFee() &&
		t.inclusionFee() >= 0
}

// archivedIndices lists the read-write entries that are restored by the transaction.
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

// inclusionFee is the bid for a place in the ledger.
func (t *transaction) inclusionFee() int64 { return t.fullFee() - t.resourceFeeBid() }

// baseFeeTotal is the lowest accepted inclusion fee.
func (t *transaction) baseFeeTotal() int64 { return baseFee * t.operationCount() }

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
