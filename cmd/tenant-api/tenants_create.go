package main

import (
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// inputFlags are the flags of commands that set the inputs of a tenant.
type inputFlags struct {
	in         tenant.Inputs
	protection bool
}

func (f *inputFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.in.Name, "name", "", "the organisation's name")
	flags.StringVar(&f.in.AdminEmail, "admin-email", "", "the administrator's address")
	flags.StringVar(&f.in.AdminFirstName, "admin-first-name", "", "the administrator's first name")
	flags.StringVar(&f.in.AdminLastName, "admin-last-name", "", "the administrator's last name")
	flags.StringVar(&f.in.ExternalID, "external-id", "", "the platform's own key")
	flags.StringToStringVar(&f.in.Metadata, "metadata", nil, "additional data, as KEY=VALUE; repeat it for several")
	flags.StringVar(&f.in.ManagedBy, "managed-by", "", "who manages the tenant")
	flags.StringVar(&f.in.Locale, "locale", "", "the language of its mails, as de-AT; default the blueprint's")
	flags.BoolVar(&f.in.AllowConfusableName, "allow-confusable-name", false, "let the name look like that of another tenant, through letters of another script")
	flags.StringToStringVar(&f.in.Variables, "var", nil, "a variable of the blueprint, as NAME=VALUE; repeat it for several")
	flags.BoolVar(&f.protection, "deletion-protection", false, "neither archive the tenant, once it is live, nor purge it")
}

func (a *cli) tenantsCreate() *cobra.Command {
	var (
		f          inputFlags
		jsonOutput bool
	)
	cmd := &cobra.Command{
		Use: "create --name NAME --admin-email ADDRESS --admin-first-name NAME --admin-last-name NAME", Short: "Create a tenant and provision it", Args: noArgs,
		Long: `Records a tenant, provisions it and waits until it is ACTIVE. It is safe to repeat: a
tenant of that name or external id that was never live is continued. One that was live is
not touched, and the error names it.`,
		Example: "  tenant-api tenants create --name \"St. Mary's Clinic\" --admin-email ada@st-marys.example --admin-first-name Ada --admin-last-name Lovelace --external-id crm-4711",
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range []string{"name", "admin-email", "admin-first-name", "admin-last-name"} {
				if err := requireFlag(cmd, name, "a new tenant needs it"); err != nil {
					return err
				}
			}
			p, err := a.openComponents(cmd, printStep)
			if err != nil {
				return err
			}
			defer p.close()
			f.in.DeletionProtection = &f.protection
			out, err := p.Provision(cmd.Context(), f.in)
			return printRun(out, nameInvalid(cmd, err), jsonOutput)
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&f.in.Blueprint, "blueprint", "", "the blueprint that it is made from; default DEFAULT_BLUEPRINT")
	cmd.Flags().BoolVar(&f.in.UnarchiveExisting, "unarchive-existing", false, "bring back the archived tenant with --external-id, with its data and these inputs")
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

func (a *cli) tenantsUpdate() *cobra.Command {
	var (
		f          inputFlags
		jsonOutput bool
	)
	cmd := &cobra.Command{
		Use: "update TENANT", Short: "Change a tenant", Args: oneTenantArg,
		Long: `Changes what the flags name, and nothing else. --metadata and --var replace the whole map.
Another --admin-email of an ACTIVE tenant is invited by a worker within seconds, and the
open invitations end; without a worker, send it with tenants invite.

` + tenantHelp,
		Example: "  tenant-api tenants update name:Clinic --name \"City Clinic\"\n  tenant-api tenants update name:Clinic --deletion-protection=false",
		RunE: func(cmd *cobra.Command, args []string) error {
			patch := f.patch(cmd)
			if patch == (provisioning.Patch{}) {
				return usageErrorf(cmd, "nothing is to be changed; give a flag such as --name")
			}
			s, t, err := a.openTenant(cmd, args[0], tenantArg.find)
			if err != nil {
				return err
			}
			defer s.close()
			t, err = s.Patch(cmd.Context(), t.ID, patch, 0)
			return printRun(provisioning.Outcome{Tenant: t}, nameInvalid(cmd, err), jsonOutput)
		},
	}
	f.bind(cmd)
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

// patch has the fields whose flags were given.
func (f *inputFlags) patch(cmd *cobra.Command) (p provisioning.Patch) {
	for flag, set := range map[string]func(){
		"name": func() { p.Name = &f.in.Name }, "admin-email": func() { p.AdminEmail = &f.in.AdminEmail },
		"admin-first-name": func() { p.AdminFirstName = &f.in.AdminFirstName }, "admin-last-name": func() { p.AdminLastName = &f.in.AdminLastName },
		"external-id": func() { p.ExternalID = &f.in.ExternalID }, "metadata": func() { p.Metadata = &f.in.Metadata },
		"managed-by": func() { p.ManagedBy = &f.in.ManagedBy }, "locale": func() { p.Locale = &f.in.Locale },
		"allow-confusable-name": func() { p.AllowConfusableName = &f.in.AllowConfusableName },
		"var":                   func() { p.Variables = &f.in.Variables }, "deletion-protection": func() { p.DeletionProtection = &f.protection },
	} {
		if cmd.Flags().Changed(flag) {
			set()
		}
	}
	return p
}
