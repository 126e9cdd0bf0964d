package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
)

func (a *app) tenantsMigrate() *cobra.Command {
	var (
		o   postgres.FleetOptions
		arg string
	)
	cmd := &cobra.Command{
		Use: "migrate [--tenant TENANT]", Short: "Bring the schemas of tenants to the newest version", Args: none,
		Long: `Brings the schemas of all tenants that have one to the newest version, each in a
transaction of its own: canaries first, one by one, and when one of them fails no
other is touched. It can be interrupted and repeated at any time, and run in many
places at once.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Canary < -1 || o.Concurrency < 0 {
				return misuse{errors.New("--canary is -1 for none, or more; --concurrency is 1 or more")}
			}
			db, err := a.registry(cmd.Context())
			if err != nil {
				return err
			}
			defer db.Close()
			if arg != "" {
				t, err := findTenant(cmd, db, arg)
				if err != nil {
					return err
				}
				o.Tenant = &t.ID
			}
			bar := newBar("tenants")
			o.Progress = func(p postgres.FleetProgress) {
				if p.Err != nil {
					bar.clear()
					fmt.Fprintf(os.Stderr, "tenant %s: %s\n", p.Tenant, message(p.Err))
				}
				bar.show(p.Done, p.Total)
			}
			report, err := db.MigrateTenants(cmd.Context(), o)
			bar.clear()
			if err == nil || report.Migrated > 0 || len(report.Failed) > 0 {
				if o.DryRun {
					fmt.Printf("Version %d: %d tenants to migrate; nothing was changed.\n", report.Version, report.Pending)
				} else {
					fmt.Printf("Version %d: %d of %d tenants migrated, %d failed.\n", report.Version, report.Migrated, report.Pending, len(report.Failed))
				}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&arg, "tenant", "", "only this tenant: an id, or name:NAME")
	cmd.Flags().IntVar(&o.Canary, "canary", postgres.DefaultCanary, "how many tenants go first, one by one; -1 for none")
	cmd.Flags().IntVar(&o.Concurrency, "concurrency", postgres.DefaultFleetConcurrency, "how many tenants are at it at once after that")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "count and change nothing")
	return cmd
}
