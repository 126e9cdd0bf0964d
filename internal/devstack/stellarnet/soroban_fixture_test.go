package stellarnet_test

import (
	"crypto/sha256"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

// simulationView is an unsigned transaction with the results of its simulation.
type simulationView struct {
	env xdr.TransactionEnvelope
	sim protocol.SimulateTransactionResponse
}

func (b *fixture) simulate(env xdr.TransactionEnvelope) protocol.SimulateTransactionResponse {
	b.t.Helper()
	encoded, err := xdr.MarshalBase64(env)
	b.must(err)
	got, err := b.client.SimulateTransaction(b.ctx, protocol.SimulateTransactionRequest{Transaction: encoded})
	b.must(err)
	return got
}

// assemble simulates an operation and applies the results, with a margin of a fifth on
// the resource fee.
func (b *fixture) assemble(want tx, data *xdr.SorobanTransactionData) simulationView {
	b.t.Helper()
	env := b.build(want).ToXDR()
	if data != nil {
		env.V1.Tx.Ext = xdr.TransactionExt{V: 1, SorobanData: data}
	}
	sim := b.simulate(env)
	if sim.Error != "" {
		b.t.Fatalf("simulation: %s", sim.Error)
	}
	var found xdr.SorobanTransactionData
	b.must(xdr.SafeUnmarshalBase64(sim.TransactionDataXDR, &found))
	found.ResourceFee = xdr.Int64(sim.MinResourceFee + sim.MinResourceFee/5)
	env.V1.Tx.Ext = xdr.TransactionExt{V: 1, SorobanData: &found}
	env.V1.Tx.Fee = xdr.Uint32(int64(found.ResourceFee) + 100)
	if len(sim.Results) > 0 && sim.Results[0].AuthXDR != nil {
		op := env.V1.Tx.Operations[0].Body.InvokeHostFunctionOp
		op.Auth = nil
		for _, raw := range *sim.Results[0].AuthXDR {
			var entry xdr.SorobanAuthorizationEntry
			b.must(xdr.SafeUnmarshalBase64(raw, &entry))
			op.Auth = append(op.Auth, entry)
		}
	}
	return simulationView{env: env, sim: sim}
}

func (b *fixture) sign(env xdr.TransactionEnvelope, signers ...*keypair.Full) xdr.TransactionEnvelope {
	b.t.Helper()
	hash, err := network.HashTransactionInEnvelope(env, b.net.Passphrase())
	b.must(err)
	env.V1.Signatures = nil
	for _, signer := range signers {
		signature, err := signer.SignDecorated(hash[:])
		b.must(err)
		env.V1.Signatures = append(env.V1.Signatures, signature)
	}
	return env
}

func (b *fixture) sendEnvelope(env xdr.TransactionEnvelope) protocol.SendTransactionResponse {
	b.t.Helper()
	encoded, err := xdr.MarshalBase64(env)
	b.must(err)
	got, err := b.client.SendTransaction(b.ctx, protocol.SendTransactionRequest{Transaction: encoded})
	b.must(err)
	return got
}

func (b *fixture) runEnvelope(env xdr.TransactionEnvelope) protocol.GetTransactionResponse {
	b.t.Helper()
	sent := b.sendEnvelope(env)
	b.wantStatus(sent, "PENDING")
	b.closeLedger()
	got, err := b.client.GetTransaction(b.ctx, protocol.GetTransactionRequest{Hash: sent.Hash})
	b.must(err)
	return got
}

// runSoroban runs all steps: simulate, assemble, sign, send, close, read.
func (b *fixture) runSoroban(op txnbuild.Operation, data *xdr.SorobanTransactionData) protocol.GetTransactionResponse {
	b.t.Helper()
	s := b.assemble(tx{ops: []txnbuild.Operation{op}}, data)
	return b.runEnvelope(b.sign(s.env, b.account))
}

func upload() *txnbuild.InvokeHostFunction {
	wasm := contract.Wasm()
	return &txnbuild.InvokeHostFunction{HostFunction: xdr.HostFunction{
		Type: xdr.HostFunctionTypeHostFunctionTypeUploadContractWasm, Wasm: &wasm,
	}}
}

func accountAddress(address string) xdr.ScAddress {
	id := xdr.MustAddress(address)
	return xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeAccount, AccountId: &id}
}

func bytesVal(b []byte) xdr.ScVal {
	v := xdr.ScBytes(b)
	return xdr.ScVal{Type: xdr.ScValTypeScvBytes, Bytes: &v}
}

var tenantHash = sha256.Sum256([]byte("tenant"))

func (b *fixture) preimage(salt byte) xdr.ContractIdPreimage {
	return xdr.ContractIdPreimage{
		Type: xdr.ContractIdPreimageTypeContractIdPreimageFromAddress,
		FromAddress: &xdr.ContractIdPreimageFromAddress{
			Address: accountAddress(b.account.Address()), Salt: xdr.Uint256{salt},
		},
	}
}

func (b *fixture) create(salt byte) *txnbuild.InvokeHostFunction {
	hash := xdr.Hash(contract.Hash())
	admin := accountAddress(b.account.Address())
	return &txnbuild.InvokeHostFunction{SourceAccount: b.account.Address(), HostFunction: xdr.HostFunction{
		Type: xdr.HostFunctionTypeHostFunctionTypeCreateContractV2,
		CreateContractV2: &xdr.CreateContractArgsV2{
			ContractIdPreimage: b.preimage(salt),
			Executable:         xdr.ContractExecutable{Type: xdr.ContractExecutableTypeContractExecutableWasm, WasmHash: &hash},
			ConstructorArgs:    []xdr.ScVal{{Type: xdr.ScValTypeScvAddress, Address: &admin}, bytesVal(tenantHash[:])},
		},
	}}
}

func (b *fixture) contractID(salt byte) xdr.ContractId {
	b.t.Helper()
	raw, err := xdr.HashIdPreimage{
		Type: xdr.EnvelopeTypeEnvelopeTypeContractId,
		ContractId: &xdr.HashIdPreimageContractId{
			NetworkId: network.ID(b.net.Passphrase()), ContractIdPreimage: b.preimage(salt),
		},
	}.MarshalBinary()
	b.must(err)
	return sha256.Sum256(raw)
}

func (b *fixture) call(id xdr.ContractId, function string, args ...xdr.ScVal) *txnbuild.InvokeHostFunction {
	return &txnbuild.InvokeHostFunction{HostFunction: xdr.HostFunction{
		Type: xdr.HostFunctionTypeHostFunctionTypeInvokeContract,
		InvokeContract: &xdr.InvokeContractArgs{
			ContractAddress: xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeContract, ContractId: &id},
			FunctionName:    xdr.ScSymbol(function),
			Args:            args,
		},
	}}
}

func instanceKey(id xdr.ContractId) xdr.LedgerKey {
	return xdr.LedgerKey{Type: xdr.LedgerEntryTypeContractData, ContractData: &xdr.LedgerKeyContractData{
		Contract:   xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeContract, ContractId: &id},
		Key:        xdr.ScVal{Type: xdr.ScValTypeScvLedgerKeyContractInstance},
		Durability: xdr.ContractDataDurabilityPersistent,
	}}
}

func codeKey() xdr.LedgerKey {
	return xdr.LedgerKey{
		Type: xdr.LedgerEntryTypeContractCode, ContractCode: &xdr.LedgerKeyContractCode{Hash: contract.Hash()},
	}
}

func contractAddress(id xdr.ContractId) string {
	return strkey.MustEncode(strkey.VersionByteContract, id[:])
}

// deploy uploads the tenant contract and creates one instance.
func (b *fixture) deploy(salt byte) xdr.ContractId {
	b.t.Helper()
	b.wantSuccess(b.runSoroban(upload(), nil))
	b.wantSuccess(b.runSoroban(b.create(salt), nil))
	return b.contractID(salt)
}

// simulateCall calls a getter by simulation.
func (b *fixture) simulateCall(id xdr.ContractId, function string) (value xdr.ScVal) {
	b.t.Helper()
	sim := b.simulate(b.build(tx{ops: []txnbuild.Operation{b.call(id, function)}}).ToXDR())
	if sim.Error != "" {
		b.t.Fatalf("call %q: %s", function, sim.Error)
	}
	b.must(xdr.SafeUnmarshalBase64(*sim.Results[0].ReturnValueXDR, &value))
	return value
}

func footprint(readOnly, readWrite []xdr.LedgerKey) *xdr.SorobanTransactionData {
	return &xdr.SorobanTransactionData{Resources: xdr.SorobanResources{
		Footprint: xdr.LedgerFootprint{ReadOnly: readOnly, ReadWrite: readWrite},
	}}
}
