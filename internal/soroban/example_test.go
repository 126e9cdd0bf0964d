package soroban_test

import (
	"fmt"
	"log"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// The address of a tenant's contract depends only on the network, the deployer and the
// tenant's id. So it is known before the deployment, and a second deployment cannot make a
// second contract.
func ExampleDeployer_ContractID() {
	deployer := keypair.Root("a passphrase of a test network") // Never use such a key for anything else.
	d, err := soroban.New(soroban.Options{
		Passphrase: "Standalone Network ; February 2017", RPCURL: "http://127.0.0.1:8000/rpc", DeployerSecret: deployer.Seed(),
	})
	if err != nil {
		log.Fatal(err)
	}
	address, err := d.ContractID(uuid.MustParse("0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b11"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(address)
	// Output: CBBBV2LTE2ZW66B6HQNP65WFPD2DTM4TUEPIKBZPEG5OXOTTEBYMP2LX
}
