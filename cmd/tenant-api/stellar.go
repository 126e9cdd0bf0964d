package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// stellarDeps is what commands need that look after the network's side and send no mail.
type stellarDeps struct {
	db         *postgres.DB
	deployer   *soroban.Deployer
	reconciler *contracts.Reconciler
	settings   config.Soroban
}

func (a *app) openStellar(ctx context.Context) (*stellarDeps, error) {
	database, databaseErr := config.ReadDatabase(a.source)
	settings, err := config.ReadSoroban(a.source)
	if err := errors.Join(databaseErr, err); err != nil {
		return nil, err
	}
	c := &stellarDeps{settings: settings}
	if c.deployer, err = newDeployer(settings); err != nil {
		return nil, err
	}
	if c.db, err = openRegistry(ctx, database, false); err != nil {
		return nil, err
	}
	if c.reconciler, err = newContractReconciler(c.db, c.deployer, settings); err != nil {
		c.db.Close()
		return nil, err
	}
	return c, nil
}

func newDeployer(s config.Soroban) (*soroban.Deployer, error) {
	return soroban.New(soroban.Options{
		Passphrase: s.Passphrase, RPCURL: s.RPCURL, DeployerSecret: s.DeployerSecret.Reveal(),
		MaxFee: s.MaxFee, MaxUploadFee: s.MaxUploadFee, Channels: s.Channels,
	})
}

func newContractReconciler(db *postgres.DB, deployer *soroban.Deployer, s config.Soroban) (*contracts.Reconciler, error) {
	anchorInterval := s.AnchorInterval
	if anchorInterval == 0 {
		anchorInterval = -1
	}
	return contracts.NewReconciler(db, deployer, contracts.ReconcilerOptions{AnchorInterval: anchorInterval, MaxConcurrentChanges: s.Channels / 2})
}

// xlm writes stroops as people count them.
func xlm(stroops int64) string {
	return strconv.FormatFloat(float64(stroops)/10_000_000, 'f', -1, 64) + " XLM"
}
