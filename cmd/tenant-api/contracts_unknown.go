package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
)

func (a *cli) contractsUnknown() *cobra.Command {
	var jsonOutput bool
	cmd := &cobra.Command{
		Use: "unknown", Short: "Find contracts of tenants that the registry has lost", Args: noArgs,
		Long: `Reads from the network which contracts this registry has created, and lists those that
it does not have any more. There are some after a standby that lagged behind was promoted,
or an old dump was restored: their tenants were provisioned and are lost. Such a contract
stays on the ledger until its time to live ends; provisioning the organisation again makes
another one. RPC servers have events of about a week; older contracts are not found.
Workers do the same each hour and log it. The exit code is 3 when there are any.`,
		Example: "  tenant-api contracts unknown\n  tenant-api contracts unknown --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.openStellar(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			unknown, err := c.reconciler.FindUnknown(cmd.Context())
			if err != nil {
				return err
			}
			var rows [][]string
			views := []dto.UnknownContract{}
			for _, u := range unknown {
				views = append(views, dto.NewUnknownContract(u))
				rows = append(rows, []string{u.ContractID, formatTime(u.ClosedAt), fmt.Sprint(u.Ledger), u.TransactionHash})
			}
			if jsonOutput {
				err = printJSON(views)
			} else if len(rows) > 0 {
				err = printTable([]string{"CONTRACT", "CREATED", "LEDGER", "TRANSACTION"}, rows)
			}
			if err != nil {
				return err
			}
			if len(unknown) == 0 {
				fmt.Fprintln(os.Stderr, "The registry has all contracts that it created lately.")
				return nil
			}
			fmt.Fprintf(os.Stderr, "%s of lost tenants. Compare CREATED with the mails and requests of that time, and provision these organisations again.\n", pluralize(len(unknown), "contract"))
			return exitError{exitFindings}
		},
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	a.bindSettings(cmd)
	return cmd
}
