package soroban

import (
	"crypto/sha256"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// The domains keep the two hashes of one tenant apart from each other and from other
// hashes. They are part of every contract's address and never change.
const (
	saltDomain   = "healthcare-platform/tenant-contract/salt/v1"
	tenantDomain = "healthcare-platform/tenant-contract/tenant/v1"
)

// ContractID returns the address (C...) of a tenant's contract that is deployed by that
// account (G...) on a network. It needs no network.
func ContractID(passphrase, deployer string, tenant uuid.UUID) (string, error) {
	var account xdr.AccountId
	if err := account.SetAddress(deployer); err != nil {
		return "", errs.Wrap(err, errs.KindInvalid, "derive contract id",
			"%q is not an account address; one has 56 characters and begins with G", deployer)
	}
	id, err := contractID(passphrase, account, tenant)
	if err != nil {
		return "", err
	}
	return strkey.Encode(strkey.VersionByteContract, id[:])
}

func contractID(passphrase string, deployer xdr.AccountId, tenant uuid.UUID) (xdr.ContractId, error) {
	return contractIDOf(passphrase, idPreimage(deployer, tenant))
}

// contractIDOf is the id of the contract that is created from a preimage.
func contractIDOf(passphrase string, preimage xdr.ContractIdPreimage) (xdr.ContractId, error) {
	raw, err := xdr.HashIdPreimage{
		Type: xdr.EnvelopeTypeEnvelopeTypeContractId,
		ContractId: &xdr.HashIdPreimageContractId{
			NetworkId:          network.ID(passphrase),
			ContractIdPreimage: preimage,
		},
	}.MarshalBinary()
	if err != nil {
		return xdr.ContractId{}, errs.Wrap(err, errs.KindPermanent, "derive contract id",
			"the contract's address cannot be computed")
	}
	return sha256.Sum256(raw), nil
}

func idPreimage(deployer xdr.AccountId, tenant uuid.UUID) xdr.ContractIdPreimage {
	return xdr.ContractIdPreimage{
		Type: xdr.ContractIdPreimageTypeContractIdPreimageFromAddress,
		FromAddress: &xdr.ContractIdPreimageFromAddress{
			Address: accountAddress(deployer), Salt: Salt(tenant),
		},
	}
}

func accountAddress(id xdr.AccountId) xdr.ScAddress {
	return xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeAccount, AccountId: &id}
}

// Salt makes a tenant's contract unique among the deployer's contracts.
func Salt(tenant uuid.UUID) [32]byte { return hashOf(saltDomain, tenant) }

// TenantHash identifies the tenant in the contract. Ids are random, so the ledger
// reveals a tenant only to a reader that already has its id.
func TenantHash(tenant uuid.UUID) [32]byte { return hashOf(tenantDomain, tenant) }

func hashOf(domain string, tenant uuid.UUID) [32]byte {
	return sha256.Sum256(append([]byte(domain), tenant[:]...))
}
