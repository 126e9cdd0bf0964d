package soroban

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// The domains keep the two hashes of one tenant apart, and ours from everybody
// else's. They are part of every contract's address and never change.
const (
	saltDomain   = "healthcare-platform/tenant-contract/salt/v1"
	tenantDomain = "healthcare-platform/tenant-contract/tenant/v1"
)

// NetworkID is the SHA-256 of a network's passphrase in hex.
func NetworkID(passphrase string) string {
	id := network.ID(passphrase)
	return hex.EncodeToString(id[:])
}

// Salt is what makes a tenant's contract one of its own among its deployer's.
func Salt(tenant uuid.UUID) [32]byte { return hashOf(saltDomain, tenant) }

// TenantHash is what the contract knows its tenant by. Ids are random, so the
// ledger tells nobody which tenant it is who does not know the id already.
func TenantHash(tenant uuid.UUID) [32]byte { return hashOf(tenantDomain, tenant) }

func hashOf(domain string, tenant uuid.UUID) [32]byte {
	return sha256.Sum256(append([]byte(domain), tenant[:]...))
}

// ContractID tells which address (C...) the contract of a tenant has on a network
// when that account (G...) deploys it. It needs no network.
func ContractID(passphrase, deployer string, tenant uuid.UUID) (string, error) {
	var account xdr.AccountId
	if err := account.SetAddress(deployer); err != nil {
		return "", provisioning.Wrap(err, provisioning.KindInvalid, "derive contract id",
			"%q is no account address; it has 56 characters and begins with G", deployer)
	}
	id, err := contractID(passphrase, account, tenant)
	if err != nil {
		return "", err
	}
	return strkey.Encode(strkey.VersionByteContract, id[:])
}

func contractID(passphrase string, deployer xdr.AccountId, tenant uuid.UUID) (xdr.ContractId, error) {
	raw, err := xdr.HashIdPreimage{
		Type: xdr.EnvelopeTypeEnvelopeTypeContractId,
		ContractId: &xdr.HashIdPreimageContractId{
			NetworkId:          network.ID(passphrase),
			ContractIdPreimage: idPreimage(deployer, tenant),
		},
	}.MarshalBinary()
	if err != nil {
		return xdr.ContractId{}, provisioning.Wrap(err, provisioning.KindPermanent, "derive contract id",
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
