package stellarnet

import (
	"crypto/sha256"
	"encoding"
	"fmt"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// marshal encodes a value that this package built or decoded. Such a value always has an
// encoding, so a failure is a bug here and not an error that a caller could handle.
func marshal(v encoding.BinaryMarshaler) []byte {
	raw, err := v.MarshalBinary()
	if err != nil {
		panic(fmt.Sprintf("stellarnet: encode %T: %v", v, err))
	}
	return raw
}

// unmarshal decodes what marshal encoded.
func unmarshal(raw []byte, v any) {
	if err := xdr.SafeUnmarshal(raw, v); err != nil {
		panic(fmt.Sprintf("stellarnet: decode %T: %v", v, err))
	}
}

// keyOf is an entry's key in the ledger's index: its LedgerKey's XDR.
func keyOf(key xdr.LedgerKey) string { return string(marshal(key)) }

func accountKey(id xdr.AccountId) string {
	return keyOf(xdr.LedgerKey{
		Type:    xdr.LedgerEntryTypeAccount,
		Account: &xdr.LedgerKeyAccount{AccountId: id},
	})
}

// instanceKey is the key of the entry with a contract's executable and instance storage.
func instanceKey(contract xdr.ContractId) xdr.LedgerKey {
	return xdr.LedgerKey{
		Type: xdr.LedgerEntryTypeContractData,
		ContractData: &xdr.LedgerKeyContractData{
			Contract:   xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeContract, ContractId: &contract},
			Key:        xdr.ScVal{Type: xdr.ScValTypeScvLedgerKeyContractInstance},
			Durability: xdr.ContractDataDurabilityPersistent,
		},
	}
}

// hasTTL reports whether entries of this kind have a limited lifetime.
func hasTTL(key xdr.LedgerKey) bool {
	return key.Type == xdr.LedgerEntryTypeContractData || key.Type == xdr.LedgerEntryTypeContractCode
}

// isPersistent reports whether an expired entry of this kind is archived, not deleted.
func isPersistent(key xdr.LedgerKey) bool {
	return key.Type == xdr.LedgerEntryTypeContractCode ||
		key.Type == xdr.LedgerEntryTypeContractData &&
			key.ContractData.Durability == xdr.ContractDataDurabilityPersistent
}

// ttlHash is the key hash of an entry's TTL in the protocol.
func ttlHash(key string) xdr.Hash { return sha256.Sum256([]byte(key)) }
