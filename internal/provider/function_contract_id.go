package provider

import (
	"context"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/function"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// contractIDFunction computes the address of a tenant's contract.
type contractIDFunction struct{}

func newContractIDFunction() function.Function { return contractIDFunction{} }

func (contractIDFunction) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "contract_id"
}

func (contractIDFunction) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "Address of a tenant's contract",
		MarkdownDescription: "Computes the address (`C...`) of a tenant's contract without a network call: it follows from the network, " +
			"the deployer's account and the tenant's id. The resource `healthcare_tenant` shows whether the contract exists.",
		Parameters: []function.Parameter{
			function.StringParameter{Name: "network", MarkdownDescription: "`testnet`, `public` (also `mainnet`), `futurenet` or `local`, or the passphrase of another network. " +
				"A text without white space is a name, and an unknown one is an error; a passphrase without white space is given as `passphrase:...`."},
			function.StringParameter{Name: "deployer", MarkdownDescription: "Address (`G...`) of the account that deploys contracts. Not its secret key."},
			function.StringParameter{Name: "tenant_id", MarkdownDescription: "The tenant's `id`."},
		},
		Return: function.StringReturn{},
	}
}

func (contractIDFunction) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var network, deployer, tenantID string
	if resp.Error = req.Arguments.Get(ctx, &network, &deployer, &tenantID); resp.Error != nil {
		return
	}
	passphrase, err := config.Passphrase(network)
	if err != nil {
		resp.Error = function.NewArgumentFuncError(0, "network "+err.Error())
		return
	}
	id, err := uuid.Parse(tenantID)
	if err != nil {
		resp.Error = function.NewArgumentFuncError(2, "tenant_id is not a UUID; give the tenant's id")
		return
	}
	if len(deployer) == 56 && deployer[0] == 'S' { // Never repeat it in a message.
		resp.Error = function.NewArgumentFuncError(1, "deployer is a secret key; give the account's address, which begins with G")
		return
	}
	address, err := soroban.ContractID(passphrase, deployer, id)
	if err != nil {
		resp.Error = function.NewArgumentFuncError(1, "deployer: "+errs.SafeMessage(err))
		return
	}
	resp.Error = resp.Result.Set(ctx, address)
}
