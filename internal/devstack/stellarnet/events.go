package stellarnet

import (
	"github.com/stellar/go-stellar-sdk/xdr"
)

// nativeEvent is an event of the contract that stands for XLM, which the network
// emits for classic operations and for fees as well.
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

// feeEvent tells of a fee taken, or, with a negative amount, given back.
func (n *Network) feeEvent(stage xdr.TransactionEventStage, from xdr.AccountId, amount int64) xdr.TransactionEvent {
	return xdr.TransactionEvent{
		Stage: stage,
		Event: n.nativeEvent(i128Val(amount), symbolVal("fee"), accountVal(from)),
	}
}

// diagnosticError is an error as stellar-core reports it beside the result code.
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
