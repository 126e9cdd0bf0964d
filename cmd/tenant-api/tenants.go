package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func (a *cli) tenants() *cobra.Command {
	return commandGroup("tenants", "Create, list, check, change, suspend, archive, migrate, adopt and purge tenants", "  tenant-api tenants list",
		makesRegistry(a.tenantsCreate()), a.tenantsList(), a.tenantsShow(), a.tenantsUpdate(), a.tenantsMigrate(), makesRegistry(a.tenantsAdopt()), a.tenantsVerify(), a.tenantsRepair(), a.tenantsRetry(), a.tenantsInvite(),
		a.tenantsSuspend(), a.tenantsResume(), a.tenantsArchive(), a.tenantsUnarchive(), a.tenantsHold(), a.tenantsBackup(), a.tenantsPurge(), a.tenantsReconcile())
}

func (a *cli) tenantsList() *cobra.Command {
	var (
		f          tenantFilterFlags
		limit      int
		jsonOutput bool
	)
	cmd := &cobra.Command{
		Use: "list [--status STATUS] [--search TEXT] [--blueprint NAME] [--invitation STATUS] [--metadata KEY=VALUE] [--managed-by TEXT] [--held] [--created-after TIME] [--created-before TIME]", Short: "List tenants, newest first", Args: noArgs,
		Example: "  tenant-api tenants list --status failed\n  tenant-api tenants list --search clinic --limit 0 --json\n  tenant-api tenants list --blueprint standard\n  tenant-api tenants list --invitation expired\n  tenant-api tenants list --metadata region=eu --created-after 2026-01-31",
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := f.query(cmd)
			if err != nil {
				return err
			}
			if limit < 0 {
				return usageErrorf(cmd, "--limit is %d; give 0 for all, or more", limit)
			}
			s, err := a.services(cmd.Context())
			if err != nil {
				return err
			}
			defer s.close()
			all, total, err := listTenants(cmd, s.Services, q, limit)
			if err != nil {
				return err
			}
			if jsonOutput {
				page := dto.TenantPage{Total: total, Tenants: make([]dto.Tenant, len(all))}
				for i, t := range all {
					page.Tenants[i] = dto.NewTenant(t).WithoutOutputs()
				}
				return printJSON(page)
			}
			rows := make([][]string, len(all))
			for i, t := range all {
				rows[i] = []string{t.ID.String(), t.Name, statusOf(t), t.AdminEmail, formatTime(t.CreatedAt)}
			}
			if err := printTable([]string{"ID", "NAME", "STATUS", "ADMIN", "CREATED"}, rows); err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%d of %d tenants\n", len(all), total)
			return nil
		},
	}
	f.bind(cmd)
	cmd.Flags().IntVar(&limit, "limit", 100, "maximum number to list; 0 for all")
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

// listTenants reads all pages, or as many as the limit needs.
func listTenants(cmd *cobra.Command, s *app.Services, q tenant.ListQuery, limit int) (list []tenant.Tenant, total int64, err error) {
	for {
		q.Limit = tenant.MaxPage
		if limit > 0 {
			q.Limit = min(q.Limit, limit-len(list))
		}
		page, err := s.List(cmd.Context(), q)
		if err != nil {
			return nil, 0, err
		}
		list = append(list, page.Tenants...)
		if page.Next == nil || limit > 0 && len(list) >= limit {
			return list, page.Total, nil
		}
		q.After = page.Next
	}
}

// openTenant opens the services, which the caller closes, and reads a tenant with find, which is
// tenantArg.find or findArchived.
func (a *cli) openTenant(cmd *cobra.Command, arg string, find func(tenantArg, context.Context, *app.Services) (tenant.Tenant, error), further ...groupReader) (*registryServices, tenant.Tenant, error) {
	named, err := parseTenants(cmd, []string{arg})
	if err != nil {
		return nil, tenant.Tenant{}, err
	}
	s, err := a.services(cmd.Context(), further...)
	if err != nil {
		return nil, tenant.Tenant{}, err
	}
	t, err := find(named[0], cmd.Context(), s.Services)
	if err != nil {
		s.close()
		return nil, t, err
	}
	return s, t, nil
}

func (a *cli) tenantsShow() *cobra.Command {
	var jsonOutput, outputs bool
	cmd := &cobra.Command{
		Use: "show TENANT [--outputs]", Short: "Show a tenant and its provisioning log", Args: oneTenantArg,
		Long:    "Shows a tenant and the log of its provisioning. " + tenantHelp,
		Example: "  tenant-api tenants show \"name:St. Mary's Clinic\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := a.openTenant(cmd, args[0], tenantArg.find)
			if err != nil {
				return err
			}
			defer s.close()
			entries, err := s.Log(cmd.Context(), t.ID, true)
			if err != nil {
				return err
			}
			node, err := s.db.Node(cmd.Context(), t.SchemaName)
			if err != nil {
				return err
			}
			if jsonOutput {
				v := dto.NewTenant(t)
				if !outputs {
					v = v.WithoutOutputs()
				}
				return printJSON(dto.TenantWithLog{Tenant: v, DatabaseNode: dto.Text(node), Logs: dto.NewLog(entries)})
			}
			if !outputs {
				t.Outputs = hiddenOutputs(t.Outputs)
			}
			return printTenant(t, node, entries)
		},
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	cmd.Flags().BoolVar(&outputs, "outputs", false, "print the outputs of own steps, which can be secret")
	return cmd
}

// maxVariableText is how much is printed of a variable's value, in characters.
const maxVariableText = 60

// formatPairs is one line with all names and values.
func formatPairs(values map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, fmt.Sprintf("%s=%q", name, errs.Truncate(values[name], maxVariableText)))
	}
	return strings.Join(all, " ")
}

func (a *cli) tenantsReconcile() *cobra.Command {
	cmd := &cobra.Command{
		Use: "reconcile", Short: "Finish orphaned tenants, due mail, expired logins and due contracts, once", Args: noArgs,
		Long: `Does once what every worker does every few seconds: tenants whose worker died get
another job, interrupted rollbacks are finished, abandoned tenants are rolled back,
due welcome mails are sent, expired logins are dropped, expired rows are deleted, and
due contracts are reconciled.`,
		Example: "  tenant-api tenants reconcile",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var l config.Log
			s, err := a.readSettings(into(&l, config.ReadLog))
			if err != nil {
				return err
			}
			log := newLogger(l)
			p, err := newComponents(cmd.Context(), s, componentOptions{log: log})
			if err != nil {
				return err
			}
			defer p.close()
			if err := p.migrate(cmd.Context()); err != nil {
				return err
			}
			reconciler, err := provisioning.NewReconciler(p.DB, p.Provisioning, provisioning.ReconcilerOptions{Contracts: p.Contracts, ReminderLead: p.settings.mail.InvitationReminder})
			if err != nil {
				return err
			}
			report, err := reconciler.Pass(cmd.Context())
			// Print what was done before the error.
			if reportErr := printReport(report); err == nil {
				err = reportErr
			}
			return err
		},
	}
	a.bindSettings(cmd, logFlags...)
	return cmd
}

// printReport prints what a pass of the reconciler did.
func printReport(r provisioning.Report) error {
	r.Contracts.Registered = 0 // An internal count, not for users.
	if r.Empty() {
		_, err := fmt.Println("Nothing was due.")
		return err
	}
	var contractErr error
	if contractReport := r.Contracts; !contractReport.Empty() {
		contractErr = printContractReport(contractReport)
	}
	if r.Contracts = (contracts.Report{}); r.Empty() {
		return contractErr
	}
	var rows [][]string
	for _, action := range []struct {
		what string
		ids  []uuid.UUID
	}{
		{"requeued", r.Requeued}, {"rollback finished", r.RolledBack}, {"marked FAILED", r.Failed},
		{"welcome mail sent", r.WelcomeMailsSent}, {"welcome mail pending", r.WelcomeMailsPending}, {"welcome mail not confirmed", r.WelcomeMailsUnconfirmed}, {"reminder sent", r.RemindersSent},
		{"failure mail sent", r.FailureMailsSent},
	} {
		for _, id := range action.ids {
			rows = append(rows, []string{id.String(), action.what})
		}
	}
	if len(rows) > 0 {
		if err := printTable([]string{"TENANT", "DONE"}, rows); err != nil {
			return err
		}
	}
	return errors.Join(printDeletedRows(r), contractErr)
}

// printDeletedRows prints how many expired rows and logins were deleted, if any.
func printDeletedRows(r provisioning.Report) error {
	var rows [][]string
	for _, deleted := range []struct {
		count int64
		what  string
	}{{r.Invitations, "expired invitations deleted"}, {r.Keys, "idempotency keys deleted"}, {r.Sessions, "expired sessions of the console deleted"}, {r.Credentials, "expired logins dropped"}} {
		if deleted.count > 0 {
			rows = append(rows, []string{strconv.FormatInt(deleted.count, 10), deleted.what})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return printTable([]string{"COUNT", "DONE"}, rows)
}
