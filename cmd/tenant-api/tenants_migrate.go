package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
)

// migrationFlags are the flags of "tenants migrate".
type migrationFlags struct {
	tenantschema.MigrationOptions
	tenant  string
	printed bool // As JSON.
}

func (a *cli) tenantsMigrate() *cobra.Command {
	var f migrationFlags
	cmd := &cobra.Command{
		Use: "migrate [--blueprint NAME] [--tenant TENANT]", Short: "Bring tenants to the active revisions of their blueprints", Args: noArgs,
		Long: `Brings the schemas of all tenants that have one to the active revisions of their
blueprints: migrations and privileges, each tenant in a separate transaction. Canaries come
first, one by one, and when one of them fails no other schema is changed. It can be
interrupted and repeated at any time, and several can run at once.`,
		Example: "  tenant-api tenants migrate --dry-run\n  tenant-api tenants migrate --blueprint clinic --canary 5 --parallel 8",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.migrateTenants(cmd, f) },
	}
	cmd.Flags().StringVar(&f.Blueprint, "blueprint", "", "only the tenants of this blueprint")
	cmd.Flags().StringVar(&f.tenant, "tenant", "", "only this tenant: an id, or name:NAME")
	cmd.Flags().IntVar(&f.Canary, "canary", tenantschema.DefaultCanary, "how many tenants are migrated first, one by one; -1 for none")
	cmd.Flags().BoolVar(&f.EndSessions, "end-sessions", false, "end sessions that hold a tenant's tables, after the usual wait; the audit log names them")
	cmd.Flags().DurationVar(&f.StatementTimeout, "statement-timeout", tenantschema.DefaultStatementTimeout, "how long one statement may take in one tenant, but for indexes made CONCURRENTLY; 0s for any time")
	cmd.Flags().IntVar(&f.Concurrency, "parallel", tenantschema.DefaultMigrationConcurrency, "how many tenants are migrated at once after that")
	cmd.Flags().BoolVar(&f.DryRun, "dry-run", false, "count only; change nothing")
	cmd.Flags().BoolVar(&f.printed, "json", false, "print JSON")
	return cmd
}

func (a *cli) migrateTenants(cmd *cobra.Command, f migrationFlags) error {
	if err := requireCanary(cmd, f.Canary); err != nil {
		return err
	}
	if f.Concurrency < 1 {
		return usageErrorf(cmd, "--parallel is %d; give 1 or more", f.Concurrency)
	}
	switch {
	case f.StatementTimeout < 0:
		return usageErrorf(cmd, "--statement-timeout is %v; give a positive duration, or 0s for any time", f.StatementTimeout)
	case f.StatementTimeout == 0:
		f.StatementTimeout = -1
	}
	var named tenantArg
	if f.tenant != "" {
		var err error
		if named, err = parseTenant(f.tenant); err != nil {
			return usageErrorf(cmd, "--tenant is %q; give an id, or name:NAME", f.tenant)
		}
	}
	s, err := a.services(cmd.Context())
	if err != nil {
		return err
	}
	defer s.close()
	if f.tenant != "" {
		t, err := named.find(cmd.Context(), s.Services)
		if err != nil {
			return err
		}
		f.TenantID = &t.ID
	}
	progress := newProgressBar("tenants")
	f.Progress = func(p tenantschema.MigrationProgress) {
		if p.Err != nil {
			progress.clear()
			fmt.Fprintf(os.Stderr, "tenant %s: %s\n", p.TenantID, userMessage(p.Err))
		}
		progress.update(p.Done, p.Total)
	}
	report, err := s.db.MigrateTenants(cmd.Context(), f.MigrationOptions)
	progress.clear()
	if err == nil || report.Migrated > 0 || len(report.Failed) > 0 {
		if failed := printMigration(report, f); err == nil {
			err = failed
		}
	}
	return err
}

// printMigration prints the result of a migration, as JSON or as text.
func printMigration(r tenantschema.MigrationReport, f migrationFlags) error {
	if f.printed {
		return printJSON(app.NewTenantMigration(r, f.DryRun))
	}
	for _, t := range r.Targets {
		if err := printTarget(t, r); err != nil {
			return err
		}
	}
	var err error
	switch {
	case r.Pending == 0 && f.TenantID != nil:
		_, err = fmt.Println("The tenant is up to date; nothing to migrate.")
	case r.Pending == 0:
		_, err = fmt.Println("All tenants are up to date; nothing to migrate.")
	case f.DryRun:
		_, err = fmt.Printf("%s to migrate; nothing was changed.\n", pluralize(r.Pending, "tenant"))
	default:
		_, err = fmt.Printf("%d of %d tenants migrated, %d failed.\n", r.Migrated, r.Pending, len(r.Failed))
	}
	return err
}

// printTarget prints what the tenants of a blueprint are brought to; one of several without a
// tenant to migrate is left out.
func printTarget(t tenantschema.MigrationTarget, r tenantschema.MigrationReport) error {
	if t.Pending == 0 && len(r.Targets) > 1 {
		return nil
	}
	revision := ""
	if t.Revision != 0 {
		revision = fmt.Sprintf(", revision %d", t.Revision)
	}
	_, err := fmt.Printf("Blueprint %s%s, schema version %d: %s to migrate.\n", t.Blueprint, revision, t.Version, pluralize(t.Pending, "tenant"))
	return err
}
