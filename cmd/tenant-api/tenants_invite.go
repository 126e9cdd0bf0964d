package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func (a *cli) tenantsInvite() *cobra.Command {
	var jsonOutput bool
	cmd := &cobra.Command{
		Use: "invite TENANT", Short: "Send another invitation to the admin of a live tenant", Args: oneTenantArg,
		Long: `Sends another welcome mail to the admin of an ACTIVE tenant. Invitations that were
delivered before cannot be used any more.

` + tenantHelp,
		Example: "  tenant-api tenants invite \"name:St. Mary's Clinic\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			named, err := parseTenants(cmd, args)
			if err != nil {
				return err
			}
			p, err := a.openComponents(cmd)
			if err != nil {
				return err
			}
			defer p.close()
			t, err := named[0].find(cmd.Context(), p.Services)
			if err != nil {
				return err
			}
			out, err := p.Invite(cmd.Context(), t.ID)
			printWarnings(out.Warnings)
			if err != nil {
				return err
			}
			if jsonOutput {
				if err := printJSON(dto.NewTenant(out.Tenant).WithoutOutputs()); err != nil {
					return err
				}
			}
			if out.Tenant.WelcomeEmail == tenant.WelcomeEmailFailed {
				return fmt.Errorf("the welcome mail of %q (%s) was not delivered; correct the address of its admin, or the settings of mail, and invite again", out.Tenant.Name, out.Tenant.ID)
			}
			if jsonOutput {
				return nil
			}
			fmt.Printf("The welcome mail of %q (%s) to %s is %s. Invitation: %s.\n", out.Tenant.Name, out.Tenant.ID, out.Tenant.AdminEmail,
				out.Tenant.WelcomeEmail, invitationOf(out.Tenant.Invitation))
			return nil
		},
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}
