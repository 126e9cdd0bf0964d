package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func (a *cli) contracts() *cobra.Command {
	return commandGroup("contracts", "Look at tenants' contracts and look after them",
		a.contractsList(), a.contractsShow(), a.contractsReconcile(), a.contractsAnchor(), a.contractsUpgrade())
}

// contractPageSize is how many contracts are read from the registry at once.
const contractPageSize = 500

func (a *cli) contractsList() *cobra.Command {
	var failed, jsonOutput bool
	cmd := &cobra.Command{
		Use: "list", Short: "List contracts as they were found last", Args: noArgs,
		Long: `Lists the contracts of all tenants that are not purged as the registry knows them,
without asking the network. LIFE is LIVE; EXPIRING, its time to live ends within 30
days; EXPIRED, it can be restored; MISSING, the ledger has none; or MISMATCH, it is
not the tenant's. "contracts renew" looks at all of them now.`,
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
				page, err := db.ListContracts(cmd.Context(), after, contractPageSize)
				if err != nil {
					return err
				}
				if len(page) == 0 {
					break
				}
				for _, item := range page {
					after = item.Tenant.ID
					if failed && item.Record.LastError == "" {
						continue
					}
					rows, views = append(rows, contractRow(item)), append(views, dto.NewContract(item))
				}
			}
			if jsonOutput {
				return printJSON(views)
			}
			if err := printTable([]string{"TENANT", "NAME", "CONTRACT", "LIFE", "UNTIL", "ANCHORED", "LOOKED AT", "UNDONE"}, rows); err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%s; UNTIL and ANCHORED are a ledger and the number of an audit event\n", pluralize(len(rows), "contract"))
			return nil
		},
	}
	cmd.Flags().BoolVar(&failed, "undone", false, "only those for which something was left undone")
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

func contractRow(item contracts.WorkItem) []string {
	rec := item.Record
	lastError := rec.LastError
	if lastError == "" && rec.UpgradeTo != "" {
		lastError = "waits for its upgrade"
	}
	return []string{
		item.Tenant.ID.String(), item.Tenant.Name, item.Tenant.ContractID, orDash(string(rec.State)),
		dashIfZero(int64(rec.LiveUntil)), dashIfZero(rec.Anchor.Seq), orDash(formatTime(rec.CheckedAt)), lastError,
	}
}

// dashIfZero writes a number of which zero means that there is none.
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
		Use: "show TENANT", Short: "Show a tenant's contract as the ledger has it now, and what it has cost", Args: exactlyOneArg("a tenant's id, or name:NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.openStellar(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			t, err := findTenant(cmd, c.db, args[0])
			if err != nil {
				return err
			}
			snapshots, err := c.deployer.ReadContracts(cmd.Context(), []tenant.Tenant{t})
			if err != nil {
				return err
			}
			stroops, transactions, err := c.db.TenantSpend(cmd.Context(), t.ID)
			if err != nil {
				return err
			}
			if jsonOutput {
				return printJSON(dto.NewContractNow(t, snapshots[0], stroops, transactions))
			}
			return printContract(t, snapshots[0], stroops, transactions)
		},
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

func printContract(t tenant.Tenant, s contracts.Snapshot, stroops, transactions int64) error {
	rows := [][]string{{"Name", t.Name}, {"Contract", s.ContractID}, {"Life", string(s.State)}}
	if s.Mismatch != "" {
		rows = append(rows, []string{"Fault", s.Mismatch})
	}
	if s.LiveUntil > 0 {
		rows = append(rows, []string{"Lives until ledger", fmt.Sprintf("%d, %d ledgers from now", s.LiveUntil, s.LiveUntil-s.Ledger)})
	}
	if s.WasmHash != "" {
		rows = append(rows, []string{"Code", s.WasmHash + releaseText(s)}, []string{"Status", string(s.Status)})
	}
	if s.Anchor.Seq > 0 {
		rows = append(rows, []string{"Anchor", fmt.Sprintf("event %d, %x, in ledger %d", s.Anchor.Seq, s.Anchor.Root, s.Anchor.Ledger)})
	}
	rows = append(rows, []string{"Cost so far", fmt.Sprintf("%s in %s of its own", xlm(stroops), pluralize(int(transactions), "transaction"))})
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
		Use: "renew [TENANT...]", Short: "Look at contracts now, restore and extend those that need it", Args: cobra.ArbitraryArgs,
		Long: `Looks at the contracts of some tenants, or of all, and does for them what is due:
archived ones are restored, those whose time to live ends within 30 days (518,400
ledgers) are extended, many in a transaction; those of archived tenants say so.
Workers do the same in the background. The exit code is 1 when something was left
undone.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.openStellar(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			return c.reconcileContracts(cmd, args, c.reconciler.ReconcileTenants, c.reconciler.ReconcileAll)
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
their contracts, unless they are there already. From then on "tenants verify"
notices when the chain up to there is rewritten, whoever owns the database.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usageError{errors.New("name tenants, or give --all")}
			}
			c, err := a.openStellar(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			return c.reconcileContracts(cmd, args, c.reconciler.Anchor, c.reconciler.AnchorAll)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all tenants")
	a.bindSettings(cmd, channelFlag)
	return cmd
}

func (a *cli) contractsUpgrade() *cobra.Command {
	var canary int
	cmd := &cobra.Command{
		Use: "upgrade", Short: "Bring contracts of earlier releases to this release's code", Args: noArgs,
		Long: `Brings every contract that runs an earlier release's code to the code that this
program carries. Canaries go first, one by one, and when one of them fails no other
is touched. Then this command and all workers do the rest; it can be interrupted,
and the workers go on.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if canary < -1 || canary == 0 {
				return usageError{errors.New("--canary is -1 for none, or 1 or more")}
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
	cmd.Flags().IntVar(&canary, "canary", 1, "how many contracts go first, one by one; -1 for none")
	a.bindSettings(cmd, channelFlag, settingFlag{"max-fee", config.SorobanMaxFee, "the most stroops that a contract's transaction may cost"})
	return cmd
}
