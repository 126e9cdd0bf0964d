package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func (a *cli) tenantsSuspend() *cobra.Command {
	return a.move(&cobra.Command{
		Use: "suspend TENANT", Short: "Take a tenant out of service for a time", Args: oneTenantArg,
		Long: `Takes an ACTIVE tenant out of service for a time: no role but the owner's can use its
schema, and its logins with their sessions and its invitations end. Name, data and contract
stay. A warning names sessions of logins that others made.

` + tenantHelp,
		Example: "  tenant-api tenants suspend name:Clinic",
	}, tenantArg.find, func(ctx context.Context, s *app.Services, id uuid.UUID) (tenant.Tenant, error) {
		out, err := s.Suspend(ctx, id)
		printWarnings(out.Warnings)
		return out.Tenant, err
	})
}

func (a *cli) tenantsResume() *cobra.Command {
	return a.move(&cobra.Command{
		Use: "resume TENANT", Short: "Bring a suspended tenant back into service", Args: oneTenantArg,
		Long: `Brings a SUSPENDED tenant back into service. Its logins and invitations stay ended; see
tenants invite.

` + tenantHelp,
		Example: "  tenant-api tenants resume name:Clinic",
	}, tenantArg.find, func(ctx context.Context, s *app.Services, id uuid.UUID) (tenant.Tenant, error) {
		return s.Resume(ctx, id)
	})
}

func (a *cli) tenantsHold() *cobra.Command {
	return commandGroup("hold", "Set and clear legal holds", "  tenant-api tenants hold set name:Clinic --reason \"Case 2026-17\"",
		a.tenantsHoldSet(), a.tenantsHoldClear())
}

func (a *cli) tenantsHoldSet() *cobra.Command {
	return a.hold(&cobra.Command{
		Use: "set TENANT --reason TEXT", Short: "Put a tenant under a legal hold", Args: oneTenantArg,
		Long: `Puts a tenant that was live under a legal hold: a purge, and a migration that deletes data,
are refused and recorded until the hold is cleared. A second one replaces the reason.

` + tenantHelp,
		Example: "  tenant-api tenants hold set name:Clinic --reason \"Case 2026-17\"",
	}, func(ctx context.Context, s *app.Services, id uuid.UUID, reason string) (tenant.Tenant, error) {
		return s.SetHold(ctx, id, reason)
	})
}

func (a *cli) tenantsHoldClear() *cobra.Command {
	return a.hold(&cobra.Command{
		Use: "clear TENANT --reason TEXT", Short: "End the legal hold of a tenant", Args: oneTenantArg,
		Long:    "Ends the legal hold of a tenant, and records the reason.\n\n" + tenantHelp,
		Example: "  tenant-api tenants hold clear name:Clinic --reason \"Case 2026-17 is closed\"",
	}, func(ctx context.Context, s *app.Services, id uuid.UUID, reason string) (tenant.Tenant, error) {
		return s.ClearHold(ctx, id, reason)
	})
}

// describeHold says what a command has made of a tenant's hold.
func describeHold(before, after tenant.Tenant) string {
	switch {
	case after.Hold.Active():
		return fmt.Sprintf("is %s, and under a legal hold %s.", after.Status, singleLine(holdOf(after.Hold)))
	case before.Hold.Active():
		return fmt.Sprintf("is %s, and under a legal hold no longer.", after.Status)
	}
	return fmt.Sprintf("is %s. It was under no legal hold; nothing was changed.", after.Status)
}

// hold makes a command that sets or clears a hold.
func (a *cli) hold(cmd *cobra.Command, do func(context.Context, *app.Services, uuid.UUID, string) (tenant.Tenant, error)) *cobra.Command {
	var reason string
	cmd = a.describedMove(cmd, tenantArg.findArchived, func(ctx context.Context, s *app.Services, id uuid.UUID) (tenant.Tenant, error) {
		t, err := do(ctx, s, id, reason)
		return t, nameInvalid(cmd, err)
	}, describeHold)
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := requireFlag(cmd, "reason", "say why; the audit log keeps it"); err != nil {
			return err
		}
		return run(cmd, args)
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the audit log")
	return cmd
}
