package stellarnet

import (
	"github.com/stellar/go-stellar-sdk/xdr"
)

// nativeEvent is an event of the XLM contract, which the network also emits for classic
// operations and fees.
func (n *Network) nativeEvent(data xdr.ScVal, topics ...xdr.ScVal) xdr.ContractEvent {
	id := n.nativeContract
	return xdr.ContractEvent{
		ContractId: &id,
		Type:       xdr.ContractEventTypeContract,
		Body:       xdr.ContractEventBody{V: 0, V0: &xdr.ContractEventV0{Topics: topics, Data: data}},
	}
}

func (n *Network) transferEvent(from, to xdr.AccountId, amount int64) xdr.ContractEvent {
	return n.nativeEvent(i128Val(amount),
		symbolVal("transfer"), accountVal(from), accountVal(to), stringVal("native"))
}

// feeEvent reports a charged fee or, with a negative amount, a refund.
func (n *Network) feeEvent(stage xdr.TransactionEventStage, from xdr.AccountId, amount int64) xdr.TransactionEvent {
	return xdr.TransactionEvent{
		Stage: stage,
		Event: n.nativeEvent(i128Val(amount), symbolVal("fee"), accountVal(from)),
	}
}

// diagnosticError is an error as stellar-core reports it in addition to the result code.
func diagnosticError(errorType xdr.ScErrorType, code xdr.ScErrorCode, message string, args ...xdr.ScVal) xdr.DiagnosticEvent {
	data := stringVal(message)
	if len(args) > 0 {
		data = vecVal(append([]xdr.ScVal{data}, args...)...)
	}
	return xdr.DiagnosticEvent{
		Event: xdr.ContractEvent{
			Type: xdr.ContractEventTypeDiagnostic,
			Body: xdr.ContractEventBody{V: 0, V0: &xdr.ContractEventV0{
				Topics: []xdr.ScVal{symbolVal("error"), errorVal(errorType, code)},
				Data:   data,
			}},
		},
	}
}
