package stellarnet

import (
	"unicode/utf8"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// checkOperation checks what can be checked before an operation runs: its signatures,
// whether this network supports it, and its fields.
func (c *checker) checkOperation(op xdr.Operation) (xdr.OperationResult, bool) {
	if !isSupported(op) {
		return opFailure(xdr.OperationResultCodeOpNotSupported), true
	}
	acc := loadAccount(c.state, c.opSource(op))
	switch {
	case acc != nil:
		if !c.signatures.reachesThreshold(acc, threshold(op, acc)) {
			return opFailure(xdr.OperationResultCodeOpBadAuth), true
		}
	case op.SourceAccount == nil:
		return opFailure(xdr.OperationResultCodeOpNoAccount), true
	case !c.signatures.signedByFutureAccount(c.opSource(op)):
		return opFailure(xdr.OperationResultCodeOpBadAuth), true
	}
	return c.checkBody(op)
}

func isSupported(op xdr.Operation) bool {
	switch op.Body.Type {
	case xdr.OperationTypeCreateAccount, xdr.OperationTypeSetOptions, xdr.OperationTypeBumpSequence:
		return true
	case xdr.OperationTypePayment:
		return op.Body.PaymentOp.Asset.IsNative()
	default:
		return isSorobanOp(op)
	}
}

// threshold is the weight of signers that an operation of its source needs.
func threshold(op xdr.Operation, acc *xdr.AccountEntry) byte {
	switch op.Body.Type {
	case xdr.OperationTypeBumpSequence,
		xdr.OperationTypeExtendFootprintTtl,
		xdr.OperationTypeRestoreFootprint:
		return acc.ThresholdLow()
	case xdr.OperationTypeSetOptions:
		set := op.Body.SetOptionsOp
		if set.MasterWeight != nil || set.LowThreshold != nil || set.MedThreshold != nil ||
			set.HighThreshold != nil || set.Signer != nil {
			return acc.ThresholdHigh()
		}
	}
	return acc.ThresholdMedium()
}

func (c *checker) checkBody(op xdr.Operation) (xdr.OperationResult, bool) {
	switch op.Body.Type {
	case xdr.OperationTypeCreateAccount:
		create := op.Body.CreateAccountOp
		if create.StartingBalance < 0 || create.Destination.Equals(c.opSource(op)) {
			return createAccountResult(xdr.CreateAccountResultCodeCreateAccountMalformed), true
		}
	case xdr.OperationTypePayment:
		if op.Body.PaymentOp.Amount <= 0 {
			return paymentResult(xdr.PaymentResultCodePaymentMalformed), true
		}
	case xdr.OperationTypeBumpSequence:
		if op.Body.BumpSequenceOp.BumpTo < 0 {
			return bumpSequenceResult(xdr.BumpSequenceResultCodeBumpSequenceBadSeq), true
		}
	case xdr.OperationTypeSetOptions:
		if code := checkSetOptions(op.Body.SetOptionsOp, c.opSource(op)); code != 0 {
			return setOptionsResult(code), true
		}
	case xdr.OperationTypeInvokeHostFunction:
		return c.checkInvoke(op)
	case xdr.OperationTypeExtendFootprintTtl:
		return c.checkExtend(op)
	case xdr.OperationTypeRestoreFootprint:
		return c.checkRestore()
	}
	return xdr.OperationResult{}, false
}

func checkSetOptions(op *xdr.SetOptionsOp, source xdr.AccountId) xdr.SetOptionsResultCode {
	const knownFlags = 0xF
	raised, lowered := valueOrZero(op.SetFlags), valueOrZero(op.ClearFlags)
	switch {
	case (raised|lowered)&^knownFlags != 0:
		return xdr.SetOptionsResultCodeSetOptionsUnknownFlag
	case raised&lowered != 0:
		return xdr.SetOptionsResultCodeSetOptionsBadFlags
	}
	for _, weight := range []*xdr.Uint32{op.MasterWeight, op.LowThreshold, op.MedThreshold, op.HighThreshold} {
		if valueOrZero(weight) > 255 {
			return xdr.SetOptionsResultCodeSetOptionsThresholdOutOfRange
		}
	}
	if signer := op.Signer; signer != nil {
		key := signer.Key
		if key.Type != xdr.SignerKeyTypeSignerKeyTypeEd25519 || *key.Ed25519 == *source.Ed25519 || signer.Weight > 255 {
			return xdr.SetOptionsResultCodeSetOptionsBadSigner
		}
	}
	if op.HomeDomain != nil && !utf8.ValidString(string(*op.HomeDomain)) {
		return xdr.SetOptionsResultCodeSetOptionsInvalidHomeDomain
	}
	return xdr.SetOptionsResultCodeSetOptionsSuccess
}

func valueOrZero(v *xdr.Uint32) uint32 {
	if v == nil {
		return 0
	}
	return uint32(*v)
}
