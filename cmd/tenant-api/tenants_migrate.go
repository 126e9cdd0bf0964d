package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
)

func (a *cli) tenantsMigrate() *cobra.Command {
	var (
		o         tenantschema.MigrationOptions
		tenantArg string
		printed   bool
	)
	cmd := &cobra.Command{
		Use: "migrate [--tenant TENANT]", Short: "Migrate the schemas of tenants to the newest version", Args: noArgs,
		Long: `Migrates the schemas of all tenants that have one to the newest version, each in a
separate transaction: canaries first, one by one, and when one of them fails no other
schema is changed. It can be interrupted and repeated at any time, and several can run
at once.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Canary < -1 || o.Concurrency < 0 {
				return usageError{errors.New("--canary must be -1 (none) or more; --concurrency must be 1 or more")}
			}
			s, err := a.services(cmd.Context())
			if err != nil {
				return err
			}
			defer s.close()
			if tenantArg != "" {
				t, err := findTenant(cmd, s.Services, tenantArg)
				if err != nil {
					return err
				}
				o.TenantID = &t.ID
			}
			progress := newProgressBar("tenants")
			o.Progress = func(p tenantschema.MigrationProgress) {
				if p.Err != nil {
					progress.clear()
					fmt.Fprintf(os.Stderr, "tenant %s: %s\n", p.TenantID, userMessage(p.Err))
				}
				progress.update(p.Done, p.Total)
			}
			report, err := s.db.MigrateTenants(cmd.Context(), o)
			progress.clear()
			if err == nil || report.Migrated > 0 || len(report.Failed) > 0 {
				if failed := printMigration(report, o, printed); err == nil {
					err = failed
				}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&tenantArg, "tenant", "", "only this tenant: an id, or name:NAME")
	cmd.Flags().IntVar(&o.Canary, "canary", tenantschema.DefaultCanary, "how many tenants are migrated first, one by one; -1 for none")
	cmd.Flags().IntVar(&o.Concurrency, "concurrency", tenantschema.DefaultMigrationConcurrency, "how many tenants are migrated at once after that")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "count only; change nothing")
	cmd.Flags().BoolVar(&printed, "json", false, "print JSON")
	return cmd
}

// printMigration prints the result of a migration, as JSON or as text.
func printMigration(r tenantschema.MigrationReport, o tenantschema.MigrationOptions, printed bool) error {
	if printed {
		return printJSON(dto.TenantMigration{Version: r.Version, DryRun: o.DryRun, Pending: r.Pending, Migrated: r.Migrated, Failed: len(r.Failed)})
	}
	var err error
	switch {
	case r.Pending == 0 && o.TenantID != nil:
		_, err = fmt.Printf("The tenant's schema is at version %d; nothing to migrate.\n", r.Version)
	case r.Pending == 0:
		_, err = fmt.Printf("All tenant schemas are at version %d; nothing to migrate.\n", r.Version)
	case o.DryRun:
		_, err = fmt.Printf("Version %d: %s to migrate; nothing was changed.\n", r.Version, pluralize(r.Pending, "tenant"))
	default:
		_, err = fmt.Printf("Version %d: %d of %d tenants migrated, %d failed.\n", r.Version, r.Migrated, r.Pending, len(r.Failed))
	}
	return err
}
