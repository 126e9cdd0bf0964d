//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// instantDeployer is a deployer that takes no time.
type instantDeployer struct{}

func (instantDeployer) ContractID(id uuid.UUID) (string, error) {
	return "C" + (strings.ToUpper(strings.ReplaceAll(id.String(), "-", "")) + strings.Repeat("A", 55))[:55], nil
}

func (c instantDeployer) Deploy(_ context.Context, t tenant.Tenant, _ txlog.Log) (contracts.Contract, error) {
	id, err := c.ContractID(t.ID)
	return contracts.Contract{ID: id}, err
}

// instantReceiver completes own steps in no time.
type instantReceiver struct{}

func (instantReceiver) SendStep(context.Context, provisioning.StepRequest) (provisioning.StepAnswer, error) {
	return provisioning.StepAnswer{}, nil
}

func (instantReceiver) StepPassword(provisioning.OwnStep) (tenant.Password, error) {
	return "", nil
}

// discardMailer is a mailer that sends nothing.
type discardMailer struct{}

func (discardMailer) SendWelcome(context.Context, provisioning.WelcomeMail, provisioning.MailWait) error {
	return nil
}

func (discardMailer) SendFailure(context.Context, provisioning.FailureMail, provisioning.MailWait) error {
	return nil
}

// productContender returns the contender that provisions a round's tenants with the product.
func (b *bench) productContender(withMail bool) func(context.Context, string, int) (time.Duration, error) {
	return func(ctx context.Context, url string, clients int) (time.Duration, error) {
		return b.timeProduct(ctx, url, clients, "Tenant", withMail)
	}
}

// timeProduct provisions a round's tenants, whose names begin with prefix, in a database
// that can have others already, and returns the time they took.
func (b *bench) timeProduct(ctx context.Context, url string, clients int, prefix string, withMail bool) (time.Duration, error) {
	db, err := postgres.Open(ctx, pgdb.Options{URL: url, MaxConnections: clients + 1})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	service, err := b.service(db, withMail)
	if err != nil {
		return 0, err
	}
	if err := warmPool(ctx, db, clients+1); err != nil {
		return 0, err
	}
	if withMail {
		b.mail.Reset()
	}
	began := time.Now()
	var wg sync.WaitGroup
	errs := make([]error, clients)
	for client := range clients {
		wg.Go(func() {
			errs[client] = b.provision(ctx, service, fmt.Sprintf("%s %d", prefix, client), b.tenants/clients)
		})
	}
	wg.Wait()
	return time.Since(began), errors.Join(errs...)
}

// warmPool fills the pool before the measurement: pgbench's time excludes connecting, too.
func warmPool(ctx context.Context, db *postgres.DB, connections int) error {
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	for range connections {
		conn, err := db.Pool().Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release() // Deferred, so that each Acquire opens another connection.
	}
	return nil
}

func (b *bench) service(db *postgres.DB, withMail bool) (*provisioning.Service, error) {
	var mailer provisioning.Mailer = discardMailer{}
	if withMail {
		var err error
		mailer, err = mail.New(mail.Options{Mail: config.Mail{
			Host: b.mail.SMTPHost(), Port: b.mail.SMTPPort(), TLS: config.TLSNone,
			From: "no-reply@platform.example", AppURL: "https://app.platform.example",
		}})
		if err != nil {
			return nil, err
		}
	}
	pipeline, err := provisioning.NewPipeline(db, instantDeployer{}, mailer, provisioning.PipelineOptions{StepSender: instantReceiver{}})
	if err != nil {
		return nil, err
	}
	return provisioning.NewService(db, pipeline)
}

func (b *bench) provision(ctx context.Context, service *provisioning.Service, prefix string, tenants int) error {
	for i := range tenants {
		in := benchInputs(fmt.Sprintf("%s %d", prefix, i))
		in.Blueprint = b.measured.name
		out, err := service.Provision(ctx, in)
		if err != nil {
			return err
		}
		if out.Tenant.Status != tenant.StatusActive {
			return fmt.Errorf("a tenant is %s", out.Tenant.Status)
		}
	}
	return nil
}

// benchInputs are the inputs of a tenant of the blueprint standard.
func benchInputs(name string) tenant.Inputs {
	return tenant.Inputs{Name: name, AdminEmail: "ada@clinic.example", AdminFirstName: "Ada", AdminLastName: "Lovelace"}
}
