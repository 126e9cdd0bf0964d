package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

func (a *cli) tenantsPurge() *cobra.Command {
	var (
		confirm string
		skip    skipUndoFlags
	)
	cmd := &cobra.Command{
		Use: "purge TENANT --confirm NAME [--skip-undo STEP --reason TEXT]", Short: "Delete an archived tenant's data permanently", Args: oneTenantArg,
		Long: `Drops schema and database role of a tenant that has been archived for longer than
the retention period, and deletes what the registry has of its persons, also in audit
events, whose chain still verifies. A certificate is kept and printed: it says what was
deleted, what stays, and why. Backups have what they had. This cannot be undone; --confirm must be the tenant's name, so that no
other tenant is deleted by mistake. What the blueprint's own steps did is undone first; if
that fails nothing is purged, unless --skip-undo names the step.

` + tenantHelp,
		Example: "  tenant-api tenants purge name:Clinic --confirm Clinic",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := requireFlag(cmd, "confirm", "give the tenant's name"); err != nil {
				return err
			}
			if err := skip.check(cmd); err != nil {
				return err
			}
			var retention time.Duration
			s, t, err := a.openTenant(cmd, args[0], tenantArg.findArchived, into(&retention, config.ReadRetention))
			if err != nil {
				return err
			}
			defer s.close()
			if err := skip.apply(cmd, s.Services, t.ID); err != nil {
				return err
			}
			certificate, err := s.Purge(cmd.Context(), t.ID, confirm, retention)
			if err != nil {
				return nameFlags(cmd, err)
			}
			return printJSON(dto.NewCertificate(certificate))
		},
	}
	cmd.Flags().StringVar(&confirm, "confirm", "", "the tenant's name")
	skip.bind(cmd)
	a.bindSettings(cmd, settingFlag{variable: config.PurgeRetention})
	return cmd
}
