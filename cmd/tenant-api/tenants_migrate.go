package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
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
		Use: "migrate [--tenant TENANT]", Short: "Migrate the schemas of tenants to the newest version", Args: noArgs,
		Long: `Migrates the schemas of all tenants that have one to the newest version, each in a
separate transaction: canaries first, one by one, and when one of them fails no other
schema is changed. It can be interrupted and repeated at any time, and several can run
at once.`,
		Example: "  tenant-api tenants migrate --dry-run\n  tenant-api tenants migrate --canary 5 --concurrency 8",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.migrateTenants(cmd, f) },
	}
	cmd.Flags().StringVar(&f.tenant, "tenant", "", "only this tenant: an id, or name:NAME")
	cmd.Flags().IntVar(&f.Canary, "canary", tenantschema.DefaultCanary, "how many tenants are migrated first, one by one; -1 for none")
	cmd.Flags().IntVar(&f.Concurrency, "concurrency", tenantschema.DefaultMigrationConcurrency, "how many tenants are migrated at once after that")
	cmd.Flags().BoolVar(&f.DryRun, "dry-run", false, "count only; change nothing")
	cmd.Flags().BoolVar(&f.printed, "json", false, "print JSON")
	return cmd
}

func (a *cli) migrateTenants(cmd *cobra.Command, f migrationFlags) error {
	if err := requireCanary(cmd, f.Canary); err != nil {
		return err
	}
	if f.Concurrency < 1 {
		return usageErrorf(cmd, "--concurrency is %d; give 1 or more", f.Concurrency)
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
		return printJSON(dto.TenantMigration{Version: r.Version, DryRun: f.DryRun, Pending: r.Pending, Migrated: r.Migrated, Failed: len(r.Failed)})
	}
	var err error
	switch {
	case r.Pending == 0 && f.TenantID != nil:
		_, err = fmt.Printf("The tenant's schema is at version %d; nothing to migrate.\n", r.Version)
	case r.Pending == 0:
		_, err = fmt.Printf("All tenant schemas are at version %d; nothing to migrate.\n", r.Version)
	case f.DryRun:
		_, err = fmt.Printf("Version %d: %s to migrate; nothing was changed.\n", r.Version, pluralize(r.Pending, "tenant"))
	default:
		_, err = fmt.Printf("Version %d: %d of %d tenants migrated, %d failed.\n", r.Version, r.Migrated, r.Pending, len(r.Failed))
	}
	return err
}
