package stellarnet

import (
	"github.com/stellar/go-stellar-sdk/xdr"
)

// initialResult is the result of a transaction before the first failed check. Its fee is
// what stellar-core returns at admission: base fee and resource fee.
func initialResult(t *transaction) xdr.TransactionResult {
	ops := t.operations()
	results := make([]xdr.OperationResult, len(ops))
	for i, op := range ops {
		results[i] = successOf(op)
	}
	return xdr.TransactionResult{
		FeeCharged: xdr.Int64(t.baseFeeTotal() + t.resourceFeeBid()),
		Result: xdr.TransactionResultResult{
			Code:    xdr.TransactionResultCodeTxSuccess,
			Results: &results,
		},
	}
}

func successOf(op xdr.Operation) xdr.OperationResult {
	switch op.Body.Type {
	case xdr.OperationTypeCreateAccount:
		return createAccountResult(xdr.CreateAccountResultCodeCreateAccountSuccess)
	case xdr.OperationTypePayment:
		return paymentResult(xdr.PaymentResultCodePaymentSuccess)
	case xdr.OperationTypeSetOptions:
		return setOptionsResult(xdr.SetOptionsResultCodeSetOptionsSuccess)
	case xdr.OperationTypeBumpSequence:
		return bumpSequenceResult(xdr.BumpSequenceResultCodeBumpSequenceSuccess)
	case xdr.OperationTypeInvokeHostFunction:
		return invokeSuccess(xdr.Hash{})
	case xdr.OperationTypeExtendFootprintTtl:
		return extendResult(xdr.ExtendFootprintTtlResultCodeExtendFootprintTtlSuccess)
	case xdr.OperationTypeRestoreFootprint:
		return restoreResult(xdr.RestoreFootprintResultCodeRestoreFootprintSuccess)
	default:
		return opFailure(xdr.OperationResultCodeOpNotSupported)
	}
}

func opFailure(code xdr.OperationResultCode) xdr.OperationResult {
	return xdr.OperationResult{Code: code}
}

func opInner(tr xdr.OperationResultTr) xdr.OperationResult {
	return xdr.OperationResult{Code: xdr.OperationResultCodeOpInner, Tr: &tr}
}

func createAccountResult(code xdr.CreateAccountResultCode) xdr.OperationResult {
	return opInner(xdr.OperationResultTr{
		Type:                xdr.OperationTypeCreateAccount,
		CreateAccountResult: &xdr.CreateAccountResult{Code: code},
	})
}

func paymentResult(code xdr.PaymentResultCode) xdr.OperationResult {
	return opInner(xdr.OperationResultTr{
		Type:          xdr.OperationTypePayment,
		PaymentResult: &xdr.PaymentResult{Code: code},
	})
}

func setOptionsResult(code xdr.SetOptionsResultCode) xdr.OperationResult {
	return opInner(xdr.OperationResultTr{
		Type:             xdr.OperationTypeSetOptions,
		SetOptionsResult: &xdr.SetOptionsResult{Code: code},
	})
}

func bumpSequenceResult(code xdr.BumpSequenceResultCode) xdr.OperationResult {
	return opInner(xdr.OperationResultTr{
		Type:          xdr.OperationTypeBumpSequence,
		BumpSeqResult: &xdr.BumpSequenceResult{Code: code},
	})
}

// invokeResult is a failed invocation; invokeSuccess has the hash of a successful one's
// return value and events.
func invokeResult(code xdr.InvokeHostFunctionResultCode) xdr.OperationResult {
	return opInner(xdr.OperationResultTr{
		Type:                     xdr.OperationTypeInvokeHostFunction,
		InvokeHostFunctionResult: &xdr.InvokeHostFunctionResult{Code: code},
	})
}

func invokeSuccess(hash xdr.Hash) xdr.OperationResult {
	return opInner(xdr.OperationResultTr{
		Type: xdr.OperationTypeInvokeHostFunction,
		InvokeHostFunctionResult: &xdr.InvokeHostFunctionResult{
			Code:    xdr.InvokeHostFunctionResultCodeInvokeHostFunctionSuccess,
			Success: &hash,
		},
	})
}

func extendResult(code xdr.ExtendFootprintTtlResultCode) xdr.OperationResult {
	return opInner(xdr.OperationResultTr{
		Type:                     xdr.OperationTypeExtendFootprintTtl,
		ExtendFootprintTtlResult: &xdr.ExtendFootprintTtlResult{Code: code},
	})
}

func restoreResult(code xdr.RestoreFootprintResultCode) xdr.OperationResult {
	return opInner(xdr.OperationResultTr{
		Type:                   xdr.OperationTypeRestoreFootprint,
		RestoreFootprintResult: &xdr.RestoreFootprintResult{Code: code},
	})
}
