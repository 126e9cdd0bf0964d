//go:build unix

package provisioning_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"strings"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stack"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Provision runs all steps of a tenant: on PostgreSQL, a Stellar network and a mail
// server, here those of the development stack. Repeating it continues what was interrupted.
func ExampleService_Provision() {
	ctx := context.Background()
	services, err := stack.Start(ctx, stack.Options{LedgerClose: 20 * time.Millisecond, Progress: io.Discard})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = services.Close() }()

	a, err := app.Open(ctx, app.Options{
		Name:     "example",
		Database: config.Database{URL: config.Secret(services.Postgres.URL(stack.Database))},
		Soroban: config.Soroban{
			Network: "local", Passphrase: services.Stellar.Passphrase(), RPCURL: services.Stellar.RPCURL(),
			DeployerSecret: config.Secret(services.Deployer.Seed()),
		},
		Mail: config.Mail{
			Host: services.MailCatcher.SMTPHost(), Port: services.MailCatcher.SMTPPort(), TLS: config.TLSNone,
			From: "no-reply@platform.example", AppURL: "https://app.platform.example",
		},
		Observers: []provisioning.Observer{func(_ context.Context, e provisioning.Event) {
			if e.Status == tenant.StepCompleted {
				fmt.Println(e.Step)
			}
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close(ctx)

	out, err := a.Provision(ctx, tenant.Inputs{
		Name: "St. Mary's Clinic", AdminEmail: "ada@st-marys.example", AdminFirstName: "Ada", AdminLastName: "Lovelace",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Tenant.Status, strings.HasPrefix(out.Tenant.SchemaName, "st_marys_clinic_"), out.Tenant.ContractID[:1])
	fmt.Println(len(services.MailCatcher.Messages()), "mail")
	// Output:
	// CREATE_TENANT_RECORD
	// CREATE_SCHEMA
	// RUN_MIGRATIONS
	// SEED_ROLES_AND_USER
	// DEPLOY_SOROBAN_CONTRACT
	// STORE_CONTRACT_ADDRESS
	// SEND_WELCOME_EMAIL
	// ACTIVE true C
	// 1 mail
}
