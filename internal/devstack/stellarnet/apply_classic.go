package stellarnet

import (
	"math"

	"github.com/stellar/go-stellar-sdk/xdr"
)

func (o *opRun) createAccount(op *xdr.CreateAccountOp) bool {
	fail := func(code xdr.CreateAccountResultCode) bool {
		o.result = createAccountResult(code)
		return false
	}
	amount := int64(op.StartingBalance)
	source := loadAccount(o.state, o.source)
	created := newAccount(op.Destination, amount, o.env.seq)
	switch {
	case loadAccount(o.state, op.Destination) != nil:
		return fail(xdr.CreateAccountResultCodeCreateAccountAlreadyExist)
	case amount < minBalance(created):
		return fail(xdr.CreateAccountResultCodeCreateAccountLowReserve)
	case spendableBalance(source) < amount:
		return fail(xdr.CreateAccountResultCodeCreateAccountUnderfunded)
	}
	source.Balance -= op.StartingBalance
	o.state.putAccount(source)
	o.state.putAccount(created)
	o.events = append(o.events, o.network.transferEvent(o.source, op.Destination, amount))
	o.result = createAccountResult(xdr.CreateAccountResultCodeCreateAccountSuccess)
	return true
}

func (o *opRun) applyPayment(op *xdr.PaymentOp) bool {
	fail := func(code xdr.PaymentResultCode) bool {
		o.result = paymentResult(code)
		return false
	}
	to := op.Destination.ToAccountId()
	if loadAccount(o.state, to) == nil {
		return fail(xdr.PaymentResultCodePaymentNoDestination)
	}
	// The destination is credited first, as in stellar-core, so a payment to the source
	// itself needs only the amount.
	destination := loadAccount(o.state, to)
	if int64(destination.Balance) > math.MaxInt64-int64(op.Amount) {
		return fail(xdr.PaymentResultCodePaymentLineFull)
	}
	destination.Balance += op.Amount
	if source := loadAccount(o.state, o.source); spendableBalance(source) < int64(op.Amount) {
		return fail(xdr.PaymentResultCodePaymentUnderfunded)
	}
	o.state.putAccount(destination)
	source := loadAccount(o.state, o.source)
	source.Balance -= op.Amount
	o.state.putAccount(source)
	o.events = append(o.events, o.network.transferEvent(o.source, to, int64(op.Amount)))
	o.result = paymentResult(xdr.PaymentResultCodePaymentSuccess)
	return true
}

func (o *opRun) bumpSequence(op *xdr.BumpSequenceOp) bool {
	acc := loadAccount(o.state, o.source)
	if op.BumpTo > acc.SeqNum {
		setSequence(acc, int64(op.BumpTo), o.env.seq, o.env.closeTime)
		o.state.putAccount(acc)
	}
	o.result = bumpSequenceResult(xdr.BumpSequenceResultCodeBumpSequenceSuccess)
	return true
}

func (o *opRun) setOptions(op *xdr.SetOptionsOp) bool {
	acc := loadAccount(o.state, o.source)
	if op.InflationDest != nil {
		if loadAccount(o.state, *op.InflationDest) == nil {
			o.result = setOptionsResult(xdr.SetOptionsResultCodeSetOptionsInvalidInflation)
			return false
		}
		acc.InflationDest = op.InflationDest
	}
	acc.Flags = acc.Flags&^xdr.Uint32(valueOrZero(op.ClearFlags)) | xdr.Uint32(valueOrZero(op.SetFlags))
	if op.HomeDomain != nil {
		acc.HomeDomain = *op.HomeDomain
	}
	for i, weight := range []*xdr.Uint32{op.MasterWeight, op.LowThreshold, op.MedThreshold, op.HighThreshold} {
		if weight != nil {
			acc.Thresholds[i] = byte(*weight)
		}
	}
	if op.Signer != nil {
		if code := setSigner(acc, *op.Signer); code != xdr.SetOptionsResultCodeSetOptionsSuccess {
			o.result = setOptionsResult(code)
			return false
		}
	}
	o.state.putAccount(acc)
	o.result = setOptionsResult(xdr.SetOptionsResultCodeSetOptionsSuccess)
	return true
}

// setSigner adds a signer, changes its weight, or, with weight 0, removes it.
func setSigner(acc *xdr.AccountEntry, signer xdr.Signer) xdr.SetOptionsResultCode {
	const maxSigners = 20
	for i, known := range acc.Signers {
		if !known.Key.Equals(signer.Key) {
			continue
		}
		if signer.Weight > 0 {
			acc.Signers[i].Weight = signer.Weight
			return xdr.SetOptionsResultCodeSetOptionsSuccess
		}
		acc.Signers = append(acc.Signers[:i], acc.Signers[i+1:]...)
		resizeSponsors(acc)
		acc.NumSubEntries--
		return xdr.SetOptionsResultCodeSetOptionsSuccess
	}
	switch {
	case signer.Weight == 0:
		return xdr.SetOptionsResultCodeSetOptionsSuccess
	case len(acc.Signers) == maxSigners:
		return xdr.SetOptionsResultCodeSetOptionsTooManySigners
	case spendableBalance(acc) < baseReserve:
		return xdr.SetOptionsResultCodeSetOptionsLowReserve
	}
	acc.Signers = append(acc.Signers, signer)
	resizeSponsors(acc)
	acc.NumSubEntries++
	return xdr.SetOptionsResultCodeSetOptionsSuccess
}

// resizeSponsors keeps one sponsor slot per signer; there are no sponsors here.
func resizeSponsors(acc *xdr.AccountEntry) {
	if acc.Ext.V1 != nil && acc.Ext.V1.Ext.V2 != nil {
		acc.Ext.V1.Ext.V2.SignerSponsoringIDs = make([]xdr.SponsorshipDescriptor, len(acc.Signers))
	}
}
