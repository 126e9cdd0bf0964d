//go:build unix

package demo

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stack"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

// ledgerContract is a contract's state on the ledger, read with one getLedgerEntries
// call and without the deployer's code.
type ledgerContract struct {
	id, code, admin, tenantHash string
	active                      bool
	ledger, liveUntil           uint32
}

type ledgerResponse struct {
	Error  *struct{ Message string }
	Result struct {
		Entries []struct {
			XDR       string `json:"xdr"`
			Ledger    uint32 `json:"lastModifiedLedgerSeq"`
			LiveUntil uint32 `json:"liveUntilLedgerSeq"`
		}
	}
}

func readContract(ctx context.Context, s *stack.Stack, id string) (c ledgerContract, err error) {
	key, err := instanceKey(id)
	if err != nil {
		return c, fmt.Errorf("contract id %q: %w", id, err)
	}
	response, err := getLedgerEntries(ctx, s.Stellar.RPCURL(), key)
	if err != nil {
		return c, fmt.Errorf("getLedgerEntries: %w", err)
	}
	if len(response.Result.Entries) != 1 {
		return c, fmt.Errorf("the ledger has no contract %s", id)
	}
	found := response.Result.Entries[0]
	var data xdr.LedgerEntryData
	if err := xdr.SafeUnmarshalBase64(found.XDR, &data); err != nil {
		return c, fmt.Errorf("read the ledger entry: %w", err)
	}
	c = ledgerContract{id: id, ledger: found.Ledger, liveUntil: found.LiveUntil}
	if err := c.read(data); err != nil {
		return c, err
	}
	return c, c.check(s.Deployer.Address())
}

func instanceKey(id string) (string, error) {
	raw, err := strkey.Decode(strkey.VersionByteContract, id)
	if err != nil {
		return "", err
	}
	address := xdr.ContractId(raw)
	key := xdr.LedgerKey{Type: xdr.LedgerEntryTypeContractData, ContractData: &xdr.LedgerKeyContractData{
		Contract:   xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeContract, ContractId: &address},
		Key:        xdr.ScVal{Type: xdr.ScValTypeScvLedgerKeyContractInstance},
		Durability: xdr.ContractDataDurabilityPersistent,
	}}
	return key.MarshalBinaryBase64()
}

func getLedgerEntries(ctx context.Context, url, key string) (result ledgerResponse, err error) {
	payload, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": "getLedgerEntries", "params": map[string]any{"keys": []string{key}},
	})
	if err != nil {
		return result, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(payload))
	if err != nil {
		return result, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return result, err
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(response.Body).Decode(&result); err != nil {
		return result, err
	}
	if result.Error != nil {
		return result, errors.New(result.Error.Message)
	}
	return result, nil
}

// read reads the contract's code and the values that its constructor stored.
func (c *ledgerContract) read(data xdr.LedgerEntryData) error {
	entry, ok := data.GetContractData()
	if !ok {
		return errors.New("the ledger entry does not belong to a contract")
	}
	instance, ok := entry.Val.GetInstance()
	if !ok || instance.Executable.WasmHash == nil || instance.Storage == nil {
		return errors.New("the ledger entry is not an instance of a WebAssembly contract")
	}
	c.code = instance.Executable.WasmHash.HexString()
	for _, stored := range *instance.Storage {
		name, ok := stored.Key.GetVec()
		if !ok || name == nil || len(*name) != 1 {
			continue
		}
		switch symbol, _ := (*name)[0].GetSym(); symbol {
		case "Admin":
			if address, ok := stored.Val.GetAddress(); ok {
				admin, err := address.String()
				if err != nil {
					return fmt.Errorf("read the contract's admin: %w", err)
				}
				c.admin = admin
			}
		case "Tenant":
			hash, _ := stored.Val.GetBytes()
			c.tenantHash = hex.EncodeToString(hash)
		case "Status":
			status, ok := stored.Val.GetU32()
			c.active = ok && uint32(status) == contract.StatusActive
		}
	}
	return nil
}

func (c *ledgerContract) check(deployer string) error {
	want := contract.Hash()
	switch {
	case c.code != hex.EncodeToString(want[:]):
		return fmt.Errorf("the contract runs the code %s, but the committed one is %x", c.code, want)
	case c.admin != deployer:
		return fmt.Errorf("the contract's admin is %s, not the deployer %s", c.admin, deployer)
	case len(c.tenantHash) != 64 || !c.active:
		return errors.New("the contract does not have the tenant's hash, or is not active")
	}
	return nil
}
