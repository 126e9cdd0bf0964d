package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func (a *app) contracts() *cobra.Command {
	return group("contracts", "Look at tenants' contracts and look after them",
		a.contractsList(), a.contractsShow(), a.contractsRenew(), a.contractsAnchor(), a.contractsUpgrade())
}

// contractPage is how many contracts are read from the registry at once.
const contractPage = 500

func (a *app) contractsList() *cobra.Command {
	var undone, printed bool
	cmd := &cobra.Command{
		Use: "list", Short: "List contracts as they were found last", Args: none,
		Long: `Lists the contracts of all tenants that are not purged as the registry knows them,
without asking the network. LIFE is LIVE; EXPIRING, its time to live ends within 30
days; ARCHIVED, it can be restored; MISSING, the ledger has none; or FOREIGN, it is
not the tenant's. "contracts renew" looks at all of them now.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			db, err := a.registry(cmd.Context())
			if err != nil {
				return err
			}
			defer db.Close()
			if _, err := db.AdoptContracts(cmd.Context()); err != nil {
				return err
			}
			var rows [][]string
			views := []map[string]any{}
			for after := uuid.Nil; ; {
				page, err := db.ContractsAfter(cmd.Context(), after, contractPage)
				if err != nil {
					return err
				}
				if len(page) == 0 {
					break
				}
				for _, d := range page {
					after = d.Tenant.ID
					if undone && d.Known.Problem == "" {
						continue
					}
					rows, views = append(rows, contractRow(d)), append(views, contractView(d))
				}
			}
			if printed {
				return asJSON(views)
			}
			if err := table([]string{"TENANT", "NAME", "CONTRACT", "LIFE", "UNTIL", "ANCHORED", "LOOKED AT", "UNDONE"}, rows); err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%s; UNTIL and ANCHORED are a ledger and the number of an audit event\n", counted(len(rows), "contract"))
			return nil
		},
	}
	cmd.Flags().BoolVar(&undone, "undone", false, "only those for which something was left undone")
	cmd.Flags().BoolVar(&printed, "json", false, "print JSON")
	return cmd
}

func contractRow(d provisioning.ContractDuty) []string {
	k := d.Known
	undone := k.Problem
	if undone == "" && k.UpgradeTo != "" {
		undone = "waits for its upgrade"
	}
	return []string{
		d.Tenant.ID.String(), d.Tenant.Name, d.Tenant.ContractID, orDash(string(k.Life)),
		number(int64(k.LiveUntil)), number(k.Anchor.Seq), orDash(date(k.CheckedAt)), undone,
	}
}

// number writes a number of which zero means that there is none.
func number(n int64) string {
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

func contractView(d provisioning.ContractDuty) map[string]any {
	k := d.Known
	view := map[string]any{
		"tenantId": d.Tenant.ID, "tenantName": d.Tenant.Name, "contractId": d.Tenant.ContractID, "life": k.Life, "liveUntilLedger": k.LiveUntil,
		"ledger": k.Ledger, "wasmHash": k.WasmHash, "saysArchived": k.Archived, "checkedAt": orNull(k.CheckedAt), "dueAt": orNull(k.DueAt),
		"undone": k.Problem, "tries": k.Tries, "upgradeTo": k.UpgradeTo, "anchor": nil,
	}
	if k.Anchor.Seq > 0 {
		view["anchor"] = map[string]any{"seq": k.Anchor.Seq, "root": fmt.Sprintf("%x", k.Anchor.Root), "ledger": k.Anchor.Ledger}
	}
	return view
}

func (a *app) contractsShow() *cobra.Command {
	var printed bool
	cmd := &cobra.Command{
		Use: "show TENANT", Short: "Show a tenant's contract as the ledger has it now, and what it has cost", Args: one("a tenant's id, or name:NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.chain(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			t, err := findTenant(cmd, c.db, args[0])
			if err != nil {
				return err
			}
			states, err := c.deployer.ReadContracts(cmd.Context(), []provisioning.Tenant{t})
			if err != nil {
				return err
			}
			stroops, transactions, err := c.db.Spent(cmd.Context(), t.ID)
			if err != nil {
				return err
			}
			if printed {
				view := contractView(provisioning.ContractDuty{Tenant: t, Known: provisioning.ContractRecord{ContractState: states[0]}})
				for _, own := range []string{"checkedAt", "dueAt", "undone", "tries", "upgradeTo"} {
					delete(view, own) // What the registry knows, and "contracts list" tells.
				}
				view["fault"], view["outdated"] = states[0].Fault, states[0].Outdated
				view["costStroops"], view["transactions"] = stroops, transactions
				return asJSON(view)
			}
			return showContract(t, states[0], stroops, transactions)
		},
	}
	cmd.Flags().BoolVar(&printed, "json", false, "print JSON")
	return cmd
}

func showContract(t provisioning.Tenant, s provisioning.ContractState, stroops, transactions int64) error {
	says := "ACTIVE"
	if s.Archived {
		says = "ARCHIVED"
	}
	rows := [][]string{{"Name", t.Name}, {"Contract", s.ContractID}, {"Life", string(s.Life)}}
	if s.Fault != "" {
		rows = append(rows, []string{"Fault", s.Fault})
	}
	if s.LiveUntil > 0 {
		rows = append(rows, []string{"Lives until ledger", fmt.Sprintf("%d, %d ledgers from now", s.LiveUntil, s.LiveUntil-s.Ledger)})
	}
	if s.WasmHash != "" {
		rows = append(rows, []string{"Code", s.WasmHash + release(s)}, []string{"Says", says})
	}
	if s.Anchor.Seq > 0 {
		rows = append(rows, []string{"Anchor", fmt.Sprintf("event %d, %x, in ledger %d", s.Anchor.Seq, s.Anchor.Root, s.Anchor.Ledger)})
	}
	rows = append(rows, []string{"Cost so far", fmt.Sprintf("%s in %s of its own", xlm(stroops), counted(int(transactions), "transaction"))})
	return table([]string{"Tenant", t.ID.String()}, rows)
}

func release(s provisioning.ContractState) string {
	if s.Outdated {
		return ", of an earlier release"
	}
	return ", of this release"
}

func (a *app) contractsRenew() *cobra.Command {
	cmd := &cobra.Command{
		Use: "renew [TENANT...]", Short: "Look at contracts now, restore and extend those that need it", Args: cobra.ArbitraryArgs,
		Long: `Looks at the contracts of some tenants, or of all, and does for them what is due:
archived ones are restored, those whose time to live ends within 30 days (518,400
ledgers) are extended, many in a transaction; those of archived tenants say so.
Workers do the same in the background. The exit code is 1 when something was left
undone.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.chain(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			return c.attend(cmd, args, c.keeper.Attend, c.keeper.All)
		},
	}
	a.bind(cmd, channelFlag)
	return cmd
}

func (a *app) contractsAnchor() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "anchor TENANT... | --all", Short: "Anchor the heads of audit chains in the tenants' contracts", Args: cobra.ArbitraryArgs,
		Long: `Writes number and hash of the newest audit event of some tenants, or of all, into
their contracts, unless they are there already. From then on "tenants verify"
notices when the chain up to there is rewritten, whoever owns the database.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return misuse{errors.New("name tenants, or give --all")}
			}
			c, err := a.chain(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			return c.attend(cmd, args, c.keeper.Anchor, c.keeper.AnchorAll)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all tenants")
	a.bind(cmd, channelFlag)
	return cmd
}

func (a *app) contractsUpgrade() *cobra.Command {
	var canary int
	cmd := &cobra.Command{
		Use: "upgrade", Short: "Bring contracts of earlier releases to this release's code", Args: none,
		Long: `Brings every contract that runs an earlier release's code to the code that this
program carries. Canaries go first, one by one, and when one of them fails no other
is touched. Then this command and all workers do the rest; it can be interrupted,
and the workers go on.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if canary < -1 || canary == 0 {
				return misuse{errors.New("--canary is -1 for none, or 1 or more")}
			}
			c, err := a.chain(cmd.Context())
			if err != nil {
				return err
			}
			defer c.db.Close()
			bar := newBar("contracts")
			total, err := c.keeper.Upgrade(cmd.Context(), provisioning.UpgradeOptions{
				Canary: canary, Progress: func(p provisioning.UpgradeProgress) { bar.show(p.Done, p.Total) },
			})
			bar.clear()
			if err != nil {
				return err
			}
			if total == 0 {
				fmt.Printf("There is nothing to upgrade: every contract runs this release's code, %s.\n", c.deployer.CodeHash())
				return nil
			}
			fmt.Printf("%s upgraded to the code %s.\n", counted(total, "contract"), c.deployer.CodeHash())
			return nil
		},
	}
	cmd.Flags().IntVar(&canary, "canary", 1, "how many contracts go first, one by one; -1 for none")
	a.bind(cmd, channelFlag, settingFlag{"max-fee", config.SorobanMaxFee, "the most stroops that a contract's transaction may cost"})
	return cmd
}
