package soroban

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// TestDeployer_CreatesContract: an event with this deployer as admin proves nothing, because
// every account can publish it; the contract must be created from the deployer's address.
func TestDeployer_CreatesContract(t *testing.T) {
	t.Parallel()
	key, stranger := keypair.MustRandom(), keypair.MustRandom()
	d, err := New(Options{Passphrase: "p", RPCURL: "http://127.0.0.1:1", DeployerSecret: key.Seed()})
	if err != nil {
		t.Fatal(err)
	}
	tenant := uuid.New()
	address, err := d.ContractID(tenant)
	if err != nil {
		t.Fatal(err)
	}
	created := func(by *keypair.Full) xdr.TransactionEnvelope {
		return xdr.TransactionEnvelope{Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: &xdr.TransactionV1Envelope{Tx: xdr.Transaction{
			Operations: []xdr.Operation{{Body: xdr.OperationBody{Type: xdr.OperationTypeInvokeHostFunction, InvokeHostFunctionOp: &xdr.InvokeHostFunctionOp{
				HostFunction: xdr.HostFunction{Type: xdr.HostFunctionTypeHostFunctionTypeCreateContractV2, CreateContractV2: &xdr.CreateContractArgsV2{
					ContractIdPreimage: idPreimage(xdr.MustAddress(by.Address()), tenant),
				}},
			}}}},
		}}}
	}
	if !d.createsContract(created(key), address) {
		t.Error("the deployer's own transaction was not recognized")
	}
	if d.createsContract(created(stranger), address) || d.createsContract(created(key), "C"+strings.Repeat("A", 55)) {
		t.Error("a transaction of another account, or for another contract, was taken for the deployer's")
	}
}
