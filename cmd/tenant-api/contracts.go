package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func (a *cli) contracts() *cobra.Command {
	return commandGroup("contracts", "List, reconcile, anchor and upgrade tenants' contracts, find lost ones", "  tenant-api contracts list",
		a.contractsList(), a.contractsShow(), a.contractsReconcile(), a.contractsAnchor(), a.contractsUpgrade(), a.contractsUnknown())
}

// contractPageSize is how many contracts are read from the registry at once.
const contractPageSize = 500

func (a *cli) contractsList() *cobra.Command {
	var failed, jsonOutput bool
	cmd := &cobra.Command{
		Use: "list", Short: "List contracts as the registry last recorded them", Args: noArgs,
		Long: `Lists the contracts of all tenants that are not purged as the registry knows them,
without querying the network, and the contract of the registry itself, which has the
anchors of the registry chain. STATE is LIVE; EXPIRING, its time to live ends within
30 days; EXPIRED, it can be restored; MISSING, the ledger has none; or MISMATCH, it is
not the tenant's contract. ERROR is why its last reconciliation failed. "contracts
reconcile" reads all of them now.`,
		Example: "  tenant-api contracts list\n  tenant-api contracts list --failed --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			db, err := a.registry(cmd.Context())
			if err != nil {
				return err
			}
			defer db.Close()
			if _, err := db.RegisterContracts(cmd.Context()); err != nil {
				return err
			}
			var rows [][]string
			views := []dto.Contract{}
			for after := uuid.Nil; ; {
				page, err := db.FindContracts(cmd.Context(), contracts.ListQuery{Failed: failed, After: after, Limit: contractPageSize})
				if err != nil {
					return err
				}
				if len(page) == 0 {
					break
				}
				for _, item := range page {
					after = item.Tenant.ID
					rows, views = append(rows, contractRow(item)), append(views, dto.NewContract(item))
				}
			}
			if jsonOutput {
				return printJSON(views)
			}
			if err := printTable([]string{"TENANT", "NAME", "CONTRACT", "STATE", "LIVE UNTIL", "ANCHORED EVENT", "LAST CHECKED", "ERROR"}, rows); err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%s; LIVE UNTIL is a ledger, ANCHORED EVENT the number of an audit event\n", pluralize(len(rows), "contract"))
			return nil
		},
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "only those whose last reconciliation failed")
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

func contractRow(item contracts.WorkItem) []string {
	rec := item.Record
	lastError := rec.LastError
	if lastError == "" && rec.UpgradeTo != "" {
		lastError = "upgrade pending"
	}
	id, name := item.Tenant.ID.String(), item.Tenant.Name
	if item.Registry {
		id, name = registryName, "-"
	}
	return []string{
		id, name, item.Tenant.ContractID, orDash(string(rec.State)),
		dashIfZero(int64(rec.LiveUntil)), dashIfZero(rec.Anchor.Seq), orDash(formatTime(rec.CheckedAt)), lastError,
	}
}

// dashIfZero formats a number, "-" for zero.
func dashIfZero(n int64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (a *cli) contractsShow() *cobra.Command {
	var jsonOutput bool
	cmd := &cobra.Command{
		Use: "show TENANT", Short: "Show a tenant's contract as it is on the ledger now, and its cost", Args: oneTenantArg,
		Long: `Shows a tenant's contract as it is on the ledger now, and what its transactions have
cost. ` + tenantHelp,
		Example: "  tenant-api contracts show name:Clinic",
		RunE: func(cmd *cobra.Command, args []string) error {
			named, err := parseTenants(cmd, args)
			if err != nil {
				return err
			}
			c, err := a.openStellar(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			t, err := named[0].find(cmd.Context(), c.services)
			if err != nil {
				return err
			}
			contract, err := app.NewStellar(c.db, c.deployer, c.settings).ReadContract(cmd.Context(), t)
			if err != nil {
				return err
			}
			if jsonOutput {
				return printJSON(contract.View(t))
			}
			return printContract(t, contract)
		},
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

func printContract(t tenant.Tenant, s app.Contract) error {
	rows := [][]string{{"Name", t.Name}, {"Contract", s.ContractID}, {"State", string(s.State)}}
	if s.Mismatch != "" {
		rows = append(rows, []string{"Drift", s.Mismatch})
	}
	if s.LiveUntil > 0 {
		rows = append(rows, []string{"Live until ledger", fmt.Sprintf("%d, %d ledgers from now", s.LiveUntil, s.LiveUntil-s.Ledger)})
	}
	if s.WasmHash != "" {
		rows = append(rows, []string{"Code", s.WasmHash + releaseText(s.Snapshot)}, []string{"Status on chain", string(s.Status)})
	}
	if s.Anchor.Seq > 0 {
		rows = append(rows, []string{"Anchor", fmt.Sprintf("event %d, %x, in ledger %d", s.Anchor.Seq, s.Anchor.Root, s.Anchor.Ledger)})
	}
	rows = append(rows, []string{"Cost so far", fmt.Sprintf("%s in %s", contracts.FormatXLM(s.Stroops), pluralize(int(s.Transactions), "transaction"))})
	return printTable([]string{"Tenant", t.ID.String()}, rows)
}

func releaseText(s contracts.Snapshot) string {
	if s.Outdated {
		return ", of an earlier release"
	}
	return ", of this release"
}

func (a *cli) contractsReconcile() *cobra.Command {
	cmd := &cobra.Command{
		Use: "reconcile [TENANT...]", Short: "Read contracts now, restore and extend those that need it", Args: cobra.ArbitraryArgs,
		Long: `Reads the contracts of some tenants, or of all, and reconciles them: expired ones are
restored, those whose time to live ends within 30 days (518,400 ledgers) are extended,
many in a transaction, and the status in a contract is set to its tenant's. Workers do
the same in the background. The exit code is 1 when a contract failed.

` + tenantHelp,
		Example: "  tenant-api contracts reconcile\n  tenant-api contracts reconcile name:Clinic name:Hospice",
		RunE: func(cmd *cobra.Command, args []string) error {
			named, err := parseTenants(cmd, args)
			if err != nil {
				return err
			}
			c, err := a.openStellar(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			return c.reconcileContracts(cmd, named, c.reconciler.ReconcileTenants, c.reconciler.ReconcileAll)
		},
	}
	a.bindSettings(cmd, channelFlag)
	return cmd
}

func (a *cli) contractsAnchor() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "anchor TENANT... | --all", Short: "Anchor the heads of audit chains in the tenants' contracts", Args: cobra.ArbitraryArgs,
		Long: `Writes number and hash of the newest audit event of some tenants, or of all, into
their contracts, unless they are there already. From then on "tenants verify" detects
a rewrite of the chain up to that event, even one by the registry owner. --all also
anchors the registry chain, in a contract of its own that is deployed for it.

` + tenantHelp,
		Example: "  tenant-api contracts anchor name:Clinic\n  tenant-api contracts anchor --all",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return usageErrorf(cmd, "give tenants or --all, not both")
			case !all && len(args) == 0:
				return usageErrorf(cmd, "give tenants, or --all")
			}
			named, err := parseTenants(cmd, args)
			if err != nil {
				return err
			}
			c, err := a.openStellar(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			return c.reconcileContracts(cmd, named, c.reconciler.Anchor, c.reconciler.AnchorAll)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all tenants, and the registry")
	a.bindSettings(cmd, channelFlag)
	return cmd
}

func (a *cli) contractsUpgrade() *cobra.Command {
	var canary int
	cmd := &cobra.Command{
		Use: "upgrade", Short: "Upgrade contracts of earlier releases to this release's code", Args: noArgs,
		Long: `Upgrades every contract that runs an earlier release's code to the code in this
program. Canaries go first, one by one, and when one of them fails no other contract
is changed. Then this command and all workers upgrade the rest; when the command is
interrupted, the workers continue.`,
		Example: "  tenant-api contracts upgrade\n  tenant-api contracts upgrade --canary 5",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := requireCanary(cmd, canary); err != nil {
				return err
			}
			c, err := a.openStellar(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			progress := newProgressBar("contracts")
			total, err := c.reconciler.Upgrade(cmd.Context(), contracts.UpgradeOptions{
				Canary: canary, Progress: func(p contracts.UpgradeProgress) { progress.update(p.Done, p.Total) },
			})
			progress.clear()
			if err != nil {
				return err
			}
			if total == 0 {
				fmt.Printf("There is nothing to upgrade: every contract runs this release's code, %s.\n", c.deployer.CurrentCode())
				return nil
			}
			fmt.Printf("%s upgraded to the code %s.\n", pluralize(total, "contract"), c.deployer.CurrentCode())
			return nil
		},
	}
	cmd.Flags().IntVar(&canary, "canary", 1, "how many contracts are upgraded first, one by one; -1 for none")
	a.bindSettings(cmd, channelFlag, settingFlag{variable: config.SorobanMaxFee})
	return cmd
}
