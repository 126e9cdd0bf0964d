package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
)

// openComponents opens all parts of the program for a command that runs work in the foreground, and
// logs warnings to standard error.
func (a *cli) openComponents(cmd *cobra.Command, observers ...provisioning.Observer) (*components, error) {
	settings, err := a.readSettings()
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: telemetry.WithUnits}))
	return newComponents(cmd.Context(), settings, componentOptions{log: log, observers: observers})
}

// printWarnings prints what did not fail a command.
func printWarnings(warnings []string) {
	for _, warning := range warnings {
		fmt.Fprintln(os.Stderr, "Warning: "+warning)
	}
}

// printRun prints the outcome of a provisioning.
func printRun(out provisioning.Outcome, err error, jsonOutput bool) error {
	printWarnings(out.Warnings)
	if err != nil {
		return err
	}
	if jsonOutput {
		return printJSON(dto.NewTenant(out.Tenant).WithoutOutputs())
	}
	fmt.Printf("The tenant %q (%s) is %s.\n", out.Tenant.Name, out.Tenant.ID, out.Tenant.Status)
	return nil
}
