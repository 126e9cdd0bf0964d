package main

import (
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// stellarDeps are the dependencies of commands for the Stellar network. They send no mail.
type stellarDeps struct {
	cli        *cli
	db         *postgres.DB
	services   *app.Services
	deployer   *soroban.Deployer
	reconciler *contracts.Reconciler
	settings   config.Soroban
}

func (a *cli) openStellar(ctx context.Context) (*stellarDeps, error) {
	c := &stellarDeps{cli: a}
	var database config.Database
	err := a.read(into(&database, config.ReadDatabase), into(&c.settings, config.ReadSoroban))
	if err != nil {
		return nil, err
	}
	if c.deployer, err = app.NewDeployer(c.settings); err != nil {
		return nil, err
	}
	if c.db, err = app.OpenRegistry(ctx, programName, database, false); err != nil {
		return nil, err
	}
	// These commands send no steps.
	if c.services, err = app.NewRegistryServices(c.db, config.Webhook{}); err != nil {
		c.db.Close()
		return nil, err
	}
	if c.reconciler, err = app.NewContractReconciler(c.db, c.deployer, c.settings); err != nil {
		c.db.Close()
		return nil, err
	}
	return c, nil
}
