package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func (a *cli) tenantsArchive() *cobra.Command {
	return a.move(&cobra.Command{
		Use: "archive TENANT", Short: "Take a tenant out of service and keep its schema", Args: oneTenantArg,
		Long: `Takes a tenant out of service: it becomes ARCHIVED, its logins and invitations end, and
its name becomes free. Schema and data stay until it is purged. A tenant that never was
live is rolled back instead, and what the blueprint's own steps did is undone.

` + tenantHelp,
		Example: "  tenant-api tenants archive name:Clinic",
	}, tenantArg.find, func(ctx context.Context, s *app.Services, id uuid.UUID) (tenant.Tenant, error) {
		return s.Archive(ctx, id)
	})
}

func (a *cli) tenantsUnarchive() *cobra.Command {
	return a.move(&cobra.Command{
		Use: "unarchive TENANT", Short: "Bring an archived tenant back into service", Args: oneTenantArg,
		Long: `Brings a tenant that was live, and is ARCHIVED, back into service with its data. Its
invitations stay revoked; see tenants invite. Not possible while another tenant has its
name, and after a purge.

` + tenantHelp,
		Example: "  tenant-api tenants unarchive name:Clinic",
	}, tenantArg.findArchived, func(ctx context.Context, s *app.Services, id uuid.UUID) (tenant.Tenant, error) {
		return s.Unarchive(ctx, id)
	})
}

// move makes a command that moves one tenant to another status.
func (a *cli) move(cmd *cobra.Command, find func(tenantArg, context.Context, *app.Services) (tenant.Tenant, error), do func(context.Context, *app.Services, uuid.UUID) (tenant.Tenant, error)) *cobra.Command {
	return a.describedMove(cmd, find, do, func(_, after tenant.Tenant) string { return fmt.Sprintf("is %s.", after.Status) })
}

// describedMove makes a command that changes one tenant, and prints what describe says of it.
func (a *cli) describedMove(cmd *cobra.Command, find func(tenantArg, context.Context, *app.Services) (tenant.Tenant, error), do func(context.Context, *app.Services, uuid.UUID) (tenant.Tenant, error),
	describe func(before, after tenant.Tenant) string,
) *cobra.Command {
	var jsonOutput bool
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, before, err := a.openTenant(cmd, args[0], find)
		if err != nil {
			return err
		}
		defer s.close()
		t, err := do(cmd.Context(), s.Services, before.ID)
		if err != nil {
			return err
		}
		if jsonOutput {
			return printJSON(dto.NewTenant(t).WithoutOutputs())
		}
		fmt.Printf("The tenant %q (%s) %s\n", t.Name, t.ID, describe(before, t))
		return nil
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}
