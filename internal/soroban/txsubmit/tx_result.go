package txsubmit

import (
	"regexp"
	"strings"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// txResult is the result of a transaction.
type txResult struct {
	txlog.Outcome
	code   xdr.TransactionResultCode
	op     xdr.OperationResultTr   // With txFAILED: the operation's result code,
	opCode xdr.OperationResultCode // or why it was not executed.
	minFee int64                   // With txINSUFFICIENT_FEE: the lowest fee that is enough.
	err    error                   // When the server could not read it.
}

// appliedResult is the result of a transaction that is in a ledger.
func appliedResult(got protocol.GetTransactionResponse) (txResult, error) {
	end, err := decodeResult(got.ResultXDR)
	if err != nil {
		return txResult{}, rpc.MalformedXDR(err, "read transaction result")
	}
	end.State, end.Ledger, end.FeeCharged = txlog.StateFailed, got.Ledger, end.minFee
	if got.Status == protocol.TransactionStatusSuccess {
		end.State = txlog.StateSucceeded
	}
	return end, nil
}

// rejectedResult is the result of a transaction that the network rejected.
func rejectedResult(got protocol.SendTransactionResponse) (txResult, error) {
	end, err := decodeResult(got.ErrorResultXDR)
	if err != nil {
		return txResult{}, rpc.MalformedXDR(err, "read transaction result")
	}
	end.State = txlog.StateRejected
	return end, nil
}

func decodeResult(encoded string) (txResult, error) {
	var result xdr.TransactionResult
	if err := xdr.SafeUnmarshalBase64(encoded, &result); err != nil {
		return txResult{}, err
	}
	end := txResult{code: result.Result.Code, minFee: int64(result.FeeCharged)}
	if inner, ok := result.Result.GetInnerResultPair(); ok { // For a fee bump the inner result counts.
		end.code = inner.Result.Result.Code
	}
	names := []string{codeName(end.code.String(), "TransactionResultCode")}
	if ops, ok := result.OperationResults(); ok && len(ops) == 1 && !result.Successful() {
		end.opCode = ops[0].Code
		if ops[0].Tr != nil {
			end.op = *ops[0].Tr
		}
		names = append(names, operationCode(ops[0]))
	}
	end.Detail = strings.Join(names, ", ")
	return end, nil
}

func operationCode(r xdr.OperationResult) string {
	switch tr := r.Tr; {
	case tr == nil:
		return codeName(r.Code.String(), "OperationResultCode")
	case tr.InvokeHostFunctionResult != nil:
		return codeName(tr.InvokeHostFunctionResult.Code.String(), "InvokeHostFunctionResultCode")
	case tr.RestoreFootprintResult != nil:
		return codeName(tr.RestoreFootprintResult.Code.String(), "RestoreFootprintResultCode")
	default:
		return codeName(tr.Type.String(), "OperationType")
	}
}

// resourceLimitExceeded reports whether the operation exceeded its declared resources,
// or met an archived entry: a new simulation declares what is needed now.
func (e txResult) resourceLimitExceeded() bool {
	if r := e.op.InvokeHostFunctionResult; r != nil {
		switch r.Code { // The other codes are not about resources.
		case xdr.InvokeHostFunctionResultCodeInvokeHostFunctionResourceLimitExceeded,
			xdr.InvokeHostFunctionResultCodeInvokeHostFunctionInsufficientRefundableFee,
			xdr.InvokeHostFunctionResultCodeInvokeHostFunctionEntryArchived:
			return true
		}
	}
	if r := e.op.RestoreFootprintResult; r != nil {
		return r.Code != xdr.RestoreFootprintResultCodeRestoreFootprintMalformed
	}
	return false
}

// codeName returns the name of a result code in the network's documentation: txBAD_SEQ
// for TransactionResultCodeTxBadSeq.
func codeName(name, kind string) string {
	name = strings.TrimPrefix(name, kind)
	prefix := ""
	for _, p := range []string{"Tx", "Op"} {
		if rest, ok := strings.CutPrefix(name, p); ok {
			name, prefix = rest, strings.ToLower(p)
		}
	}
	return prefix + strings.ToUpper(wordStart.ReplaceAllString(name, "_$0"))
}

var wordStart = regexp.MustCompile(`\B[A-Z]`)
