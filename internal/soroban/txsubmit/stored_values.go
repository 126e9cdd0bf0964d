package txsubmit

import (
	"fmt"

	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// registryAccount parses an account address from the registry. field names the column in
// the KindPermanent error for an invalid address.
func registryAccount(field, address string) (xdr.AccountId, error) {
	var id xdr.AccountId
	if err := id.SetAddress(address); err != nil {
		return id, brokenField(err, field, fmt.Sprintf("%q", address), "an account address, which has 56 characters and begins with G")
	}
	return id, nil
}

// registryContract parses a contract address from the registry. An empty string is the
// zero id, which no contract has.
func registryContract(field, address string) (xdr.ContractId, error) {
	var id xdr.ContractId
	if address == "" {
		return id, nil
	}
	raw, err := strkey.Decode(strkey.VersionByteContract, address)
	if err != nil || len(raw) != len(id) {
		return id, brokenField(err, field, fmt.Sprintf("%q", address), "a contract address, which has 56 characters and begins with C")
	}
	copy(id[:], raw)
	return id, nil
}

// brokenField is the error for an unusable value in the registry.
func brokenField(err error, field, value, want string) error {
	return errs.Wrap(err, errs.KindPermanent, "read registry",
		"the registry has %s %s, which is not %s; another program changed the row, correct it", field, value, want)
}
