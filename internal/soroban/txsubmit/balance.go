package txsubmit

import (
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

const stroopsPerXLM = contracts.StroopsPerXLM

// baseReserve is what an account must keep per entry, itself counting as two: half a
// lumen. It is only for messages; the network decides what is enough.
const baseReserve = stroopsPerXLM / 2

// insufficientBalance returns an error that names the missing amount.
func (s *Submitter) insufficientBalance(account *xdr.AccountEntry, what string, fee int64) error {
	if account == nil {
		return s.AccountMissing()
	}
	reserved := reserveOf(account)
	needed := reserved + fee
	return errs.Errorf(errs.KindPermanent, "pay for transaction",
		"the deployer account %s has %s, but %s needs %s (%s, fees included, of which some come back, on top of a reserve of %s); send it at least %s",
		s.Address(), contracts.FormatXLM(int64(account.Balance)), what, contracts.FormatXLM(needed), contracts.FormatXLM(fee), contracts.FormatXLM(reserved), contracts.FormatXLM(max(0, needed-int64(account.Balance))))
}

// spendable is an account's balance above its reserve.
func spendable(account *xdr.AccountEntry) int64 { return int64(account.Balance) - reserveOf(account) }

// reserveOf is the balance that the network reserves in an account. Entries sponsored by
// others are not counted; those that it sponsors for others are.
func reserveOf(account *xdr.AccountEntry) int64 {
	counted := 2 + int64(account.NumSubEntries) + int64(account.NumSponsoring()) - int64(account.NumSponsored())
	return counted*baseReserve + int64(account.Liabilities().Selling)
}

// AccountMissing is the error for a deployer account that does not exist.
func (s *Submitter) AccountMissing() error {
	return errs.Errorf(errs.KindPermanent, "read deployer account",
		"the deployer account %s does not exist on this network; fund it, or check SOROBAN_CONTRACT_DEPLOYER_SECRET, SOROBAN_DEPLOYER_ACCOUNT and SOROBAN_NETWORK", s.Address())
}

// CheckSigner checks whether the deployer's key may sign for the account alone. KindPermanent
// when it may not.
func (s *Submitter) CheckSigner(account *xdr.AccountEntry) error {
	weight := int32(0)
	if s.Signer() == s.Address() {
		weight = int32(account.MasterKeyWeight())
	}
	for _, signer := range account.Signers {
		if signer.Key.Address() == s.Signer() {
			weight = int32(signer.Weight) //nolint:gosec // At most 255.
		}
	}
	if weight > 0 && weight >= int32(account.ThresholdMedium()) {
		return nil
	}
	return errs.Errorf(errs.KindPermanent, "read deployer account",
		"the key in SOROBAN_CONTRACT_DEPLOYER_SECRET, %s, may not sign for the deployer account %s alone; give the key of that account in SOROBAN_CONTRACT_DEPLOYER_SECRET, or make this one a signer of it with the weight of its medium threshold, %d",
		s.Signer(), s.Address(), max(1, account.ThresholdMedium()))
}

// Shortage returns a sentence when the deployer's account has less than least stroops to
// spend, else an empty string.
func (s *Submitter) Shortage(account *xdr.AccountEntry, least int64) string {
	if spendable(account) >= least {
		return ""
	}
	return "the deployer account " + s.Address() + " has " + contracts.FormatXLM(int64(account.Balance)) + ", of which the network keeps " +
		contracts.FormatXLM(reserveOf(account)) + " as a reserve: it can pay for no tenant; send it some XLM"
}
