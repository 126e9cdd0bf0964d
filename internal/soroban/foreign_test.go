package soroban_test

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/keypair"
	stellar "github.com/stellar/go-stellar-sdk/network"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

// foreign runs an operation with the deployer's key, as another owner of the key would,
// and returns its cost.
func (b *testBundle) foreign(body xdr.OperationBody) int64 {
	b.t.Helper()
	return b.foreignBy(b.key, body)
}

// foreignBy does the same with another key, for example a channel's.
func (b *testBundle) foreignBy(key *keypair.Full, body xdr.OperationBody) int64 {
	b.t.Helper()
	tx := xdr.Transaction{
		SourceAccount: xdr.MustMuxedAddress(key.Address()), Fee: 100, SeqNum: b.accountOf(key.Address()).SeqNum + 1,
		Operations: []xdr.Operation{{Body: body}},
	}
	if body.InvokeHostFunctionOp != nil {
		b.simulated(&tx)
	}
	return b.apply(tx, key)
}

func (b *testBundle) simulated(tx *xdr.Transaction) {
	b.t.Helper()
	encoded, err := xdr.MarshalBase64(xdr.TransactionEnvelope{
		Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: &xdr.TransactionV1Envelope{Tx: *tx},
	})
	b.must(err)
	sim, err := b.client.SimulateTransaction(context.Background(), protocol.SimulateTransactionRequest{Transaction: encoded})
	b.must(err)
	if sim.Error != "" {
		b.t.Fatal(sim.Error)
	}
	var data xdr.SorobanTransactionData
	b.must(xdr.SafeUnmarshalBase64(sim.TransactionDataXDR, &data))
	data.ResourceFee = xdr.Int64(2 * sim.MinResourceFee)
	tx.Ext, tx.Fee = xdr.TransactionExt{V: 1, SorobanData: &data}, xdr.Uint32(data.ResourceFee)+100
	for _, raw := range *sim.Results[0].AuthXDR {
		var entry xdr.SorobanAuthorizationEntry
		b.must(xdr.SafeUnmarshalBase64(raw, &entry))
		tx.Operations[0].Body.InvokeHostFunctionOp.Auth = append(tx.Operations[0].Body.InvokeHostFunctionOp.Auth, entry)
	}
}

// apply sends a transaction and waits until it is in a ledger.
func (b *testBundle) apply(tx xdr.Transaction, key *keypair.Full) int64 {
	b.t.Helper()
	hash, err := stellar.HashTransaction(tx, b.net.Passphrase())
	b.must(err)
	signature, err := key.SignDecorated(hash[:])
	b.must(err)
	encoded, err := xdr.MarshalBase64(xdr.TransactionEnvelope{
		Type: xdr.EnvelopeTypeEnvelopeTypeTx,
		V1:   &xdr.TransactionV1Envelope{Tx: tx, Signatures: []xdr.DecoratedSignature{signature}},
	})
	b.must(err)
	sent, err := b.client.SendTransaction(context.Background(), protocol.SendTransactionRequest{Transaction: encoded})
	b.must(err)
	if sent.Status != "PENDING" {
		b.t.Fatalf("send: %+v", sent)
	}
	for range 1000 {
		b.closeLedger()
		got, err := b.client.GetTransaction(context.Background(), protocol.GetTransactionRequest{Hash: sent.Hash})
		b.must(err)
		if got.Status == protocol.TransactionStatusNotFound {
			continue
		}
		var result xdr.TransactionResult
		b.must(xdr.SafeUnmarshalBase64(got.ResultXDR, &result))
		if got.Status != protocol.TransactionStatusSuccess {
			b.t.Fatalf("foreign transaction: %+v", result.Result.Code)
		}
		return int64(result.FeeCharged)
	}
	b.t.Fatal("the foreign transaction was not applied")
	return 0
}

func (b *testBundle) closeLedger() {
	b.t.Helper()
	if _, err := b.net.CloseLedger(context.Background()); err != nil {
		b.t.Fatal(err)
	}
}

// expire makes all sent transactions expire.
func (b *testBundle) expire() {
	b.net.Faults().AdvanceClock(2 * time.Minute)
	b.closeLedger()
}

func payment(to string, stroops int64) xdr.OperationBody {
	return xdr.OperationBody{Type: xdr.OperationTypePayment, PaymentOp: &xdr.PaymentOp{
		Destination: xdr.MustMuxedAddress(to), Asset: xdr.MustNewNativeAsset(), Amount: xdr.Int64(stroops),
	}}
}

func invoke(f xdr.HostFunction) xdr.OperationBody {
	return xdr.OperationBody{
		Type: xdr.OperationTypeInvokeHostFunction, InvokeHostFunctionOp: &xdr.InvokeHostFunctionOp{HostFunction: f},
	}
}

func upload(wasm []byte) xdr.OperationBody {
	return invoke(xdr.HostFunction{Type: xdr.HostFunctionTypeHostFunctionTypeUploadContractWasm, Wasm: &wasm})
}

// otherCode is the contract with a custom section: it works, under another hash.
func otherCode() []byte { return append(contract.Wasm(), 0, 3, 1, 'x', 'y') }

// creation creates a tenant's contract, with any code and values.
func (b *testBundle) creation(tenant uuid.UUID, code xdr.Hash, admin string, hash [32]byte) xdr.OperationBody {
	deployer, owner := xdr.MustAddress(b.key.Address()), xdr.MustAddress(admin)
	value := xdr.ScBytes(hash[:])
	return invoke(xdr.HostFunction{
		Type: xdr.HostFunctionTypeHostFunctionTypeCreateContractV2,
		CreateContractV2: &xdr.CreateContractArgsV2{
			ContractIdPreimage: xdr.ContractIdPreimage{
				Type: xdr.ContractIdPreimageTypeContractIdPreimageFromAddress,
				FromAddress: &xdr.ContractIdPreimageFromAddress{
					Address: xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeAccount, AccountId: &deployer}, Salt: soroban.Salt(tenant),
				},
			},
			Executable: xdr.ContractExecutable{Type: xdr.ContractExecutableTypeContractExecutableWasm, WasmHash: &code},
			ConstructorArgs: []xdr.ScVal{
				{Type: xdr.ScValTypeScvAddress, Address: &xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeAccount, AccountId: &owner}},
				{Type: xdr.ScValTypeScvBytes, Bytes: &value},
			},
		},
	})
}

func sum(wasm []byte) xdr.Hash { return sha256.Sum256(wasm) }

// rightCreation is the transaction that the deployer would send.
func (b *testBundle) rightCreation(run provisioning.Run) xdr.OperationBody {
	return b.creation(run.Tenant.ID, contract.Hash(), b.key.Address(), soroban.TenantHash(run.Tenant.ID))
}

func (b *testBundle) contractID(run provisioning.Run) string {
	b.t.Helper()
	id, err := soroban.ContractID(b.net.Passphrase(), b.key.Address(), run.Tenant.ID)
	b.must(err)
	if !strkey.IsValidContractAddress(id) {
		b.t.Fatalf("%q", id)
	}
	return id
}
