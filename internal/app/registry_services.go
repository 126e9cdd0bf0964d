package app

import (
	"context"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/webhook"
)

// NewRegistryServices makes the services of a registry without ledger and mail, for
// commands that need the database's settings alone. A method that would deploy a contract
// or send mail returns KindInvalid. Refusals are recorded.
func NewRegistryServices(db *postgres.DB, w config.Webhook) (*Services, error) {
	pipeline, err := provisioning.NewPipeline(db, notConfigured{}, notConfigured{}, provisioning.PipelineOptions{
		StepSender: webhook.New(webhook.Options{Webhook: w}), // A purge undoes own steps.
	})
	if err != nil {
		return nil, err
	}
	services, err := NewServices(db, pipeline, Contracts{}, nil)
	if err != nil {
		return nil, err
	}
	return services.WithRefusals(), nil
}

// notConfigured is the deployer and the mailer of services that have neither.
type notConfigured struct{}

func (notConfigured) Deploy(context.Context, tenant.Tenant, txlog.Log) (contracts.Contract, error) {
	return contracts.Contract{}, errs.Errorf(errs.KindInvalid, "deploy contract", "the Stellar network is not configured")
}

func (notConfigured) ContractID(uuid.UUID) (string, error) {
	return "", errs.Errorf(errs.KindInvalid, "compute contract address", "the Stellar network is not configured")
}

func (notConfigured) SendWelcome(context.Context, provisioning.WelcomeMail, provisioning.MailWait) error {
	return errs.Errorf(errs.KindInvalid, "send mail", "mail is not configured")
}

func (notConfigured) SendFailure(context.Context, provisioning.FailureMail, provisioning.MailWait) error {
	return errs.Errorf(errs.KindInvalid, "send mail", "mail is not configured")
}
