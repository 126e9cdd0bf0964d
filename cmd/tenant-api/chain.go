package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// chain is what commands need that look after the network's side and send no mail.
type chain struct {
	db       *postgres.DB
	deployer *soroban.Deployer
	keeper   *provisioning.Keeper
	settings config.Soroban
}

func (a *app) chain(ctx context.Context) (*chain, error) {
	database, databaseErr := config.ReadDatabase(a.source)
	settings, err := config.ReadSoroban(a.source)
	if err := errors.Join(databaseErr, err); err != nil {
		return nil, err
	}
	c := &chain{settings: settings}
	if c.deployer, err = newDeployer(settings); err != nil {
		return nil, err
	}
	if c.db, err = openRegistry(ctx, database, false); err != nil {
		return nil, err
	}
	if c.keeper, err = newKeeper(c.db, c.deployer, settings); err != nil {
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

func newKeeper(db *postgres.DB, deployer *soroban.Deployer, s config.Soroban) (*provisioning.Keeper, error) {
	every := s.AnchorEvery
	if every == 0 {
		every = -1
	}
	return provisioning.NewKeeper(db, deployer, provisioning.KeeperOptions{AnchorEvery: every})
}

// xlm writes stroops as people count them.
func xlm(stroops int64) string {
	return strconv.FormatFloat(float64(stroops)/10_000_000, 'f', -1, 64) + " XLM"
}

// printKept tells what a keeper did. A contract for which something was left undone
// makes the command fail.
func printKept(r provisioning.KeeperReport) error {
	var rows [][]string
	for _, done := range []struct {
		what string
		ids  []uuid.UUID
	}{
		{"restored", r.Restored}, {"extended", r.Extended}, {"status set", r.StatusSet},
		{"audit chain anchored", r.Anchored}, {"upgraded", r.Upgraded},
	} {
		for _, id := range done.ids {
			rows = append(rows, []string{id.String(), done.what})
		}
	}
	for id, why := range r.Undone {
		rows = append(rows, []string{id.String(), "LEFT UNDONE: " + why})
	}
	if len(rows) > 0 {
		if err := table([]string{"TENANT", "DONE"}, rows); err != nil {
			return err
		}
	}
	fmt.Printf("%d contracts looked at, %s paid.\n", r.Looked, xlm(r.FeeCharged))
	if len(r.Undone) > 0 {
		return exitError{exitFailed}
	}
	return nil
}

// attend has a keeper look at the named tenants' contracts, or at all.
func (c *chain) attend(
	cmd *cobra.Command, names []string,
	some func(context.Context, ...uuid.UUID) (provisioning.KeeperReport, error),
	all func(context.Context, func(int)) (provisioning.KeeperReport, error),
) error {
	if len(names) == 0 {
		report, err := all(cmd.Context(), func(looked int) { fmt.Fprintf(os.Stderr, "%d contracts looked at\n", looked) })
		return errors.Join(printKept(report), err)
	}
	var tenants []uuid.UUID
	for _, name := range names {
		t, err := findTenant(cmd, c.db, name)
		if err != nil {
			return err
		}
		tenants = append(tenants, t.ID)
	}
	report, err := some(cmd.Context(), tenants...)
	return errors.Join(printKept(report), err)
}
