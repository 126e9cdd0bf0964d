package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

var channelFlag = settingFlag{variable: config.SorobanChannels}

func (a *cli) channels() *cobra.Command {
	var jsonOutput bool
	cmd := &cobra.Command{
		Use: "channels", Short: "List the channel accounts, which submit tenants' transactions", Args: cobra.ArbitraryArgs,
		Long: `Lists the channel accounts of the deployer as the registry knows them, without
querying the network. Each submits one transaction per ledger, so that many tenants
can be deployed in one ledger. STATE is free, in_use, quarantined (for a few seconds,
until the outcome of a transaction is known) or disabled, with the reason. OPEN TXS
counts transactions whose outcome is not known yet ("channels open" lists them), APPLIED
those that were applied.
SOROBAN_CHANNELS or --channels sets their number.`,
		Example: "  tenant-api channels\n  tenant-api channels --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return requireSubcommand(cmd, args)
			}
			c, err := a.openStellar(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			if jsonOutput {
				list, err := app.NewStellar(c.db, c.deployer, c.settings).Channels(cmd.Context())
				if err != nil {
					return err
				}
				return printJSON(list)
			}
			all, err := c.db.SystemLog().Channels(cmd.Context(), c.deployer.NetworkID(), c.deployer.Signer())
			if err != nil {
				return err
			}
			return c.printChannels(all)
		},
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	a.bindSettings(cmd, channelFlag)
	cmd.AddCommand(a.channelsReconcile(), a.channelsOpen(), a.channelsResolve())
	return cmd
}

func (a *cli) channelsReconcile() *cobra.Command {
	cmd := &cobra.Command{
		Use: "reconcile", Short: "Read the channel accounts from the network, create and top up those that need it", Args: noArgs,
		Long: `Does once what every worker does every minute: channel accounts that are missing
are created, each with 5 XLM from the deployer, those with less than 2 XLM are topped
up to 5, and disabled ones that work again are enabled. Keys are derived from the
deployer's key and need not be stored.`,
		Example: "  tenant-api channels reconcile --channels 10",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.openStellar(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			log := c.db.SystemLog()
			report, err := c.deployer.ReconcileChannels(cmd.Context(), log)
			if err == nil {
				err = c.db.RecordDeployerBalance(cmd.Context(), c.deployer.NetworkID(), c.deployer.Address(), report.DeployerBalance)
			}
			if err != nil {
				return err
			}
			all, err := log.Channels(cmd.Context(), c.deployer.NetworkID(), c.deployer.Signer())
			if err == nil {
				err = c.printChannels(all)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%d created, %d topped up, %s paid in fees; the deployer %s has %s\n",
				report.Created, report.ToppedUp, contracts.FormatXLM(report.FeeCharged), c.deployer.Address(), contracts.FormatXLM(report.DeployerBalance))
			return nil
		},
	}
	a.bindSettings(cmd, channelFlag)
	return cmd
}

func (c *stellarDeps) printChannels(all []txlog.Channel) error {
	if len(all) == 0 {
		c.printNoChannels()
		return nil
	}
	rows, usable := make([][]string, len(all)), 0
	for i, ch := range all {
		if ch.Index < c.settings.Channels && ch.State() != txlog.ChannelDisabled {
			usable++
		}
		rows[i] = []string{
			strconv.Itoa(ch.Index), ch.Address, contracts.FormatXLM(ch.Balance), strconv.Itoa(ch.Applied), strconv.Itoa(ch.Open), formatTime(ch.CheckedAt), c.channelState(ch),
		}
	}
	if err := printTable([]string{"CHANNEL", "ADDRESS", "BALANCE", "APPLIED", "OPEN TXS", "CHECKED", "STATE"}, rows); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d of %d channels can be used\n", usable, c.settings.Channels)
	return nil
}

// channelState describes whether a channel can be used, and until when or why it cannot.
func (c *stellarDeps) channelState(ch txlog.Channel) string {
	state := string(ch.State())
	switch ch.State() {
	case txlog.ChannelDisabled:
		state += ": " + ch.DisabledReason
	case txlog.ChannelInUse:
		state += " until " + ch.LeasedUntil.UTC().Format(time.TimeOnly)
	case txlog.ChannelQuarantined:
		state += " until " + ch.QuarantinedUntil.UTC().Format(time.TimeOnly)
	case txlog.ChannelFree:
	}
	if ch.Index >= c.settings.Channels {
		state += "; surplus"
	}
	return state
}

// printNoChannels prints why there are no channels.
func (c *stellarDeps) printNoChannels() {
	if c.settings.Channels == 0 {
		fmt.Fprintf(os.Stderr, "No channel accounts: %s is 0, and the deployer submits the transactions itself, one per ledger.\n", c.cli.settingName(config.SorobanChannels))
		return
	}
	fmt.Fprintf(os.Stderr, "No channel accounts are known yet. tenant-api channels reconcile creates %d, and so does the first deployment.\n", c.settings.Channels)
}
