package soroban

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
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

// ContractID returns the address (C...) that a tenant's contract has on a network when
// that account (G...) deploys it. It needs no network.
func ContractID(passphrase, deployer string, tenant uuid.UUID) (string, error) {
	var account xdr.AccountId
	if err := account.SetAddress(deployer); err != nil {
		return "", errs.Wrap(err, errs.KindInvalid, "derive contract id",
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

// registryAccount reads an account address that comes from the registry. field names the
// column, for the KindPermanent of one that is none.
func registryAccount(field, address string) (xdr.AccountId, error) {
	var id xdr.AccountId
	if err := id.SetAddress(address); err != nil {
		return id, brokenField(err, field, fmt.Sprintf("%q", address), "an account address, which has 56 characters and begins with G")
	}
	return id, nil
}

// accountOfKey is the account of a key that this program has.
func accountOfKey(key *keypair.Full) (id xdr.AccountId, err error) {
	if err = id.SetAddress(key.Address()); err != nil {
		err = errs.Wrap(err, errs.KindPermanent, "derive account", "the address of a key's account cannot be derived")
	}
	return id, err
}

// registryContract does the same for a contract address. Empty is the zero id, which
// no contract has.
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

// brokenField is the error of a value in the registry that cannot be used.
func brokenField(err error, field, value, want string) error {
	return errs.Wrap(err, errs.KindPermanent, "read registry",
		"the registry has %s %s, which is not %s; the row was changed by something else than this program, correct it", field, value, want)
}

func accountAddress(id xdr.AccountId) xdr.ScAddress {
	return xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeAccount, AccountId: &id}
}

// Salt is what makes a tenant's contract one of its own among its deployer's.
func Salt(tenant uuid.UUID) [32]byte { return hashOf(saltDomain, tenant) }

// TenantHash is what the contract knows its tenant by. Ids are random, so the
// ledger shows the tenant only to those who know its id already.
func TenantHash(tenant uuid.UUID) [32]byte { return hashOf(tenantDomain, tenant) }

func hashOf(domain string, tenant uuid.UUID) [32]byte {
	return sha256.Sum256(append([]byte(domain), tenant[:]...))
}
