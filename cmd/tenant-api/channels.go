package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

var channelFlag = settingFlag{"channels", config.SorobanChannels, "how many channel accounts there should be (default 0)"}

func (a *app) channels() *cobra.Command {
	var printed bool
	cmd := &cobra.Command{
		Use: "channels", Short: "List the channel accounts, which carry tenants' transactions", Args: cobra.ArbitraryArgs,
		Long: `Lists the channel accounts of the deployer as the registry knows them, without
asking the network. Each carries one transaction in a ledger, so that many
tenants can be deployed in one.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return onlyBelow(cmd, args)
			}
			c, err := a.chain(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			all, err := c.db.Upkeep().Channels(cmd.Context(), c.deployer.NetworkID(), c.deployer.Address())
			if err != nil {
				return err
			}
			return c.listChannels(all, printed)
		},
	}
	cmd.Flags().BoolVar(&printed, "json", false, "print JSON")
	a.bind(cmd, channelFlag)
	cmd.AddCommand(a.channelsTend())
	return cmd
}

func (a *app) channelsTend() *cobra.Command {
	cmd := &cobra.Command{
		Use: "tend", Short: "Look at the channel accounts on the network, make and top up what is needed", Args: none,
		Long: `Does once what every worker does every minute: channel accounts that are missing
are made, those that run low are topped up from the deployer, and those that are
fit again are taken back into use.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.chain(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			care, err := c.deployer.TendChannels(cmd.Context(), c.db.Upkeep())
			if err == nil {
				err = c.db.RecordDeployer(cmd.Context(), c.deployer.NetworkID(), c.deployer.Address(), care.Deployer)
			}
			if err != nil {
				return err
			}
			if err := c.listChannels(care.Channels, false); err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%d made, %d topped up, %s paid in fees; the deployer %s has %s\n",
				care.Made, care.ToppedUp, xlm(care.FeeCharged), c.deployer.Address(), xlm(care.Deployer))
			return nil
		},
	}
	a.bind(cmd, channelFlag)
	return cmd
}

func (c *chain) listChannels(all []provisioning.Channel, printed bool) error {
	if printed {
		views := make([]map[string]any, len(all))
		for i, ch := range all {
			views[i] = map[string]any{
				"index": ch.Index, "address": ch.Address, "state": ch.State(), "outOfUse": ch.OutOfUse, "balanceStroops": ch.Balance,
				"sequence": strconv.FormatInt(ch.Sequence, 10), "open": ch.Open, "carried": ch.Carried,
				"leasedUntil": orNull(ch.LeasedUntil), "setAsideUntil": orNull(ch.SetAside), "checkedAt": orNull(ch.CheckedAt),
			}
		}
		return asJSON(map[string]any{"deployer": c.deployer.Address(), "wanted": c.settings.Channels, "channels": views})
	}
	rows, fit := make([][]string, len(all)), 0
	for i, ch := range all {
		state := string(ch.State())
		if ch.State() == provisioning.ChannelOutOfUse {
			state += ": " + ch.OutOfUse
		} else if ch.Index < c.settings.Channels {
			fit++
		}
		rows[i] = []string{
			strconv.Itoa(ch.Index), ch.Address, xlm(ch.Balance), strconv.Itoa(ch.Carried), strconv.Itoa(ch.Open), date(ch.CheckedAt), state,
		}
	}
	if err := table([]string{"CHANNEL", "ADDRESS", "BALANCE", "CARRIED", "OPEN", "CHECKED", "STATE"}, rows); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d of %d channels can be used\n", fit, c.settings.Channels)
	return nil
}
