package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// maxReason is how long the reason of giving up may be.
const maxReason = 150

func (a *cli) channelsOpen() *cobra.Command {
	var jsonOutput bool
	cmd := &cobra.Command{
		Use: "open", Short: "List the transactions whose outcome is not known", Args: noArgs,
		Long: `Lists the transactions that the registry has stored and whose outcome it does not know
yet. Each is resolved by the next run that uses its account or its contract. Until then
the account sends no other one. "channels resolve" does it now.`,
		Example: "  tenant-api channels open\n  tenant-api channels open --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.openStellar(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			open, err := c.db.OpenTransactions(cmd.Context(), c.deployer.NetworkID())
			if err != nil {
				return err
			}
			if jsonOutput {
				views := make([]dto.OpenTransaction, len(open))
				for i, x := range open {
					views[i] = dto.NewOpenTransaction(x)
				}
				return printJSON(views)
			}
			if len(open) == 0 {
				fmt.Fprintln(os.Stderr, "The outcome of each transaction is known.")
				return nil
			}
			rows := make([][]string, len(open))
			for i, x := range open {
				rows[i] = []string{x.Hash, string(x.Purpose), x.Source, strconv.FormatInt(x.Sequence, 10), formatTime(x.ValidUntil)}
			}
			return printTable([]string{"TRANSACTION", "PURPOSE", "ACCOUNT", "SEQUENCE", "VALID UNTIL"}, rows)
		},
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	a.bindSettings(cmd)
	return cmd
}

func (a *cli) channelsResolve() *cobra.Command {
	var (
		giveUp bool
		reason string
	)
	cmd := &cobra.Command{
		Use: "resolve TRANSACTION [--give-up --reason TEXT]", Short: "Find the outcome of a transaction now, or give it up", Args: exactlyOneArg("one transaction, as its hash"),
		Long: `Asks the network for the outcome of an open transaction and records it. One that may
still be applied stays open: it ends by itself when its validity does.

With --give-up it is recorded as one that will never be applied, whatever the network
says now, for example because its validity ends in many years. The audit chain of its
tenant, or of the registry, has your reason. If it is applied all the same, its fee is
lost, and the next run finds what it did: no contract is created twice.`,
		Example: `  tenant-api channels resolve 9f2c...
  tenant-api channels resolve 9f2c... --give-up --reason "the server lied about the time"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			reason = strings.TrimSpace(reason)
			switch {
			case giveUp && reason == "":
				return usageErrorf(cmd, "--give-up needs --reason TEXT, which the audit chain keeps")
			case !giveUp && reason != "":
				return usageErrorf(cmd, "--reason is for --give-up")
			case len([]rune(reason)) > maxReason:
				return usageErrorf(cmd, "--reason has more than %d characters", maxReason)
			}
			c, err := a.openStellar(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			x, err := c.openTransaction(cmd, strings.ToLower(args[0]))
			if err != nil {
				return err
			}
			return c.resolve(cmd, x, giveUp, reason)
		},
	}
	cmd.Flags().BoolVar(&giveUp, "give-up", false, "record that it will never be applied")
	cmd.Flags().StringVar(&reason, "reason", "", "why it is given up, for the audit chain")
	a.bindSettings(cmd)
	return cmd
}

// openTransaction returns the open transaction with a hash.
func (c *stellarDeps) openTransaction(cmd *cobra.Command, hash string) (txlog.Transaction, error) {
	open, err := c.db.OpenTransactions(cmd.Context(), c.deployer.NetworkID())
	for _, x := range open {
		if x.Hash == hash {
			return x, nil
		}
	}
	if err == nil {
		err = errs.Errorf(errs.KindNotFound, "resolve transaction", "no open transaction has the hash %.64q; tenant-api channels open lists them", hash)
	}
	return txlog.Transaction{}, err
}

// resolve records the outcome that the network has, or that the transaction is given up.
func (c *stellarDeps) resolve(cmd *cobra.Command, x txlog.Transaction, giveUp bool, reason string) error {
	ctx := cmd.Context()
	outcome, known, err := c.deployer.TransactionOutcome(ctx, x)
	switch {
	case known:
		if err := c.db.SystemLog().Resolve(ctx, x.Hash, outcome); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "It is %s (%s).\n", outcome.State, outcome.Detail)
		return nil
	case err != nil && !giveUp:
		return err
	case !giveUp:
		return errs.Errorf(errs.KindConflict, "resolve transaction",
			"it may still be applied until a ledger has closed after %s; wait, or give it up with --give-up --reason TEXT", x.ValidUntil.UTC().Format(time.RFC3339))
	case err != nil:
		fmt.Fprintf(os.Stderr, "The network was not asked: %s\n", errs.SafeMessage(err))
	}
	if err := c.db.GiveUp(ctx, c.deployer.NetworkID(), x.Hash, reason); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "It is given up. Its account reads its sequence number from the network before the next transaction.\n")
	return nil
}
