package stellarnet

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// appliedTx is a transaction that is in a ledger, with its result.
type appliedTx struct {
	tx        *transaction
	order     int32  // Position in the ledger, from 1.
	seq       uint32 // The ledger, and its close time.
	closeTime int64
	result    xdr.TransactionResult
	meta      xdr.TransactionMeta

	feeChanges    xdr.LedgerEntryChanges // Charging the fee, before all transactions.
	seqChanges    xdr.LedgerEntryChanges // Using the sequence number.
	operations    []xdr.OperationMetaV2  // Empty when the transaction failed.
	refundChanges xdr.LedgerEntryChanges // Refunding a part of the fee, after all transactions.
	events        []xdr.TransactionEvent
	diagnostics   []xdr.DiagnosticEvent
	returnValue   *xdr.ScVal
	fees          sorobanFees
}

func (a *appliedTx) successful() bool {
	return a.result.Result.Code == xdr.TransactionResultCodeTxSuccess
}

// apply runs a transaction whose fee has been charged. It is checked again, because an
// earlier one in the same ledger may have changed its accounts. If the check fails, the
// fee is lost and, after the sequence check, the sequence number is used.
func (n *Network) apply(ctx context.Context, env applyContext, d *stateDelta, a *appliedTx) error {
	charged := a.result.FeeCharged
	v, err := n.check(ctx, d, a.tx, ledgerConditions{seq: env.seq, closeTime: env.closeTime, feeCharged: true})
	if err != nil {
		return err
	}
	a.result = v.result
	a.result.FeeCharged = charged
	a.diagnostics = v.diagnostics
	if code := a.result.Result.Code; code == xdr.TransactionResultCodeTxBadSeq ||
		code == xdr.TransactionResultCodeTxNoAccount {
		return nil
	}
	a.seqChanges = append(feeSourceChanges(d, a.tx), n.consumeSequence(env, d, a.tx)...)
	if a.tx.isSoroban() {
		if err := n.priceResources(ctx, env, d, a); err != nil {
			return err
		}
	}
	if !v.succeeded() {
		return nil
	}
	return n.applyOperations(ctx, env, d, a)
}

func (n *Network) consumeSequence(env applyContext, d *stateDelta, t *transaction) xdr.LedgerEntryChanges {
	seqDelta := newStateDelta(d, env.seq)
	acc := loadAccount(seqDelta, t.source())
	setSequence(acc, t.seqNum(), env.seq, env.closeTime)
	seqDelta.putAccount(acc)
	changes := seqDelta.changes()
	seqDelta.mergeInto(d)
	return changes
}

// feeSourceChanges lists the unchanged fee source of a fee bump, as stellar-core does
// when it checks for one-time signers.
func feeSourceChanges(d *stateDelta, t *transaction) xdr.LedgerEntryChanges {
	if t.inner == nil {
		return nil
	}
	r, _ := d.get(accountKey(t.feeSource()))
	return xdr.LedgerEntryChanges{previousChange(r.entry()), updatedChange(r.entry())}
}

// applyOperations runs all operations even when one fails, so that each has a result,
// and keeps the changes of all or of none.
func (n *Network) applyOperations(ctx context.Context, env applyContext, d *stateDelta, a *appliedTx) error {
	tx := newStateDelta(d, env.seq)
	metas := make([]xdr.OperationMetaV2, 0, len(a.tx.operations()))
	for i, op := range a.tx.operations() {
		run := &opRun{
			network: n, env: env, tx: a, op: op, index: i,
			source: a.tx.opSource(op), state: newStateDelta(tx, env.seq),
		}
		ok, err := run.apply(ctx)
		if err != nil {
			return fmt.Errorf("operation %d: %w", i, err)
		}
		(*a.result.Result.Results)[i] = run.result
		if !ok {
			a.result.Result.Code = xdr.TransactionResultCodeTxFailed
			continue
		}
		metas = append(metas, xdr.OperationMetaV2{Changes: run.state.changes(), Events: run.events})
		run.state.mergeInto(tx)
	}
	if !a.successful() {
		a.fees.forfeitRefundable()
		a.returnValue = nil
		return nil
	}
	tx.mergeInto(d)
	a.operations = metas
	return nil
}

// opRun runs one operation and holds its result, its events and, in state, its changes.
type opRun struct {
	network *Network
	env     applyContext
	tx      *appliedTx
	op      xdr.Operation
	index   int
	source  xdr.AccountId
	state   *stateDelta

	result xdr.OperationResult
	events []xdr.ContractEvent
}

func (o *opRun) apply(ctx context.Context) (bool, error) {
	o.events = []xdr.ContractEvent{}
	if loadAccount(o.state, o.source) == nil {
		o.result = opFailure(xdr.OperationResultCodeOpNoAccount)
		return false, nil
	}
	switch o.op.Body.Type {
	case xdr.OperationTypeCreateAccount:
		return o.createAccount(o.op.Body.CreateAccountOp), nil
	case xdr.OperationTypePayment:
		return o.applyPayment(o.op.Body.PaymentOp), nil
	case xdr.OperationTypeSetOptions:
		return o.setOptions(o.op.Body.SetOptionsOp), nil
	case xdr.OperationTypeBumpSequence:
		return o.bumpSequence(o.op.Body.BumpSequenceOp), nil
	case xdr.OperationTypeInvokeHostFunction:
		return o.invoke(ctx, o.op.Body.InvokeHostFunctionOp)
	case xdr.OperationTypeExtendFootprintTtl:
		return o.extendTTL(ctx, uint32(o.op.Body.ExtendFootprintTtlOp.ExtendTo))
	case xdr.OperationTypeRestoreFootprint:
		return o.restoreFootprint(ctx)
	default:
		o.result = opFailure(xdr.OperationResultCodeOpNotSupported)
		return false, nil
	}
}

// seed is the random seed of this operation.
func (o *opRun) seed() [32]byte {
	return sha256.Sum256(append(append(o.env.seed[:], o.tx.tx.hash[:]...), byte(o.index)))
}
