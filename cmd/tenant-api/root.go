package main

import (
	"log/slog"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// cli is the state that all commands share: the source of the settings.
type cli struct {
	source config.Source
	flags  map[string]string // The flags that the user gave, by the variables that they override.

	misspellings []config.Misspelling // Of the environment; those that were not warned of yet.

	traceErr error                       // Why there are no traces.
	log      atomic.Pointer[slog.Logger] // Nil: the command has no log yet.
}

// settingFlag is a flag that overrides the environment variable of a setting.
type settingFlag struct {
	variable string
	usage    string // Default: that of the setting.
}

var logFlags = []settingFlag{{variable: config.LogLevel}, {variable: config.LogFormat}}

func (a *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "tenant-api",
		Short: "Onboard healthcare organisations over HTTP",
		Long: `tenant-api onboards healthcare organisations onto the platform: registry record,
PostgreSQL schema, roles and first administrator, Soroban contract, welcome mail.
It serves the REST API, runs its jobs, and manages the registry and the contracts on
the Stellar network.

` + settingsOrder + `
"tenant-api help settings" lists all settings.`,
		Example: `  # All local services, with the settings for them in the environment.
  devstack -- tenant-api serve
  # Completion of commands and flags in bash; also for zsh, fish and powershell.
  source <(tenant-api completion bash)`,
		Version:               buildVersion(),
		Args:                  cobra.ArbitraryArgs,
		RunE:                  requireSubcommand,
		DisableFlagsInUseLine: true,
		SilenceErrors:         true,
		SilenceUsage:          true,
		CompletionOptions:     cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetVersionTemplate(versionLine() + "\n")
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand())
	setUsageTemplate(root)
	root.AddCommand(
		a.serve(), a.worker(), a.migrate(), a.platform(), a.apikey(), a.audit(), a.access(), a.tenants(), a.blueprints(), a.channels(), a.contracts(), a.openapi(), a.healthcheck(),
		&cobra.Command{
			Use: "version", Short: "Print the version", Example: "  tenant-api version", Args: noArgs,
			Run: func(cmd *cobra.Command, _ []string) { cmd.Println(versionLine()) },
		},
		settingsTopic(),
	)
	root.SetOut(stdout{})
	wrapHelp(root)
	return root
}

// bindSettings adds flags for settings to a command.
func (a *cli) bindSettings(cmd *cobra.Command, flags ...settingFlag) {
	for _, f := range flags {
		s := config.SettingOf(f.variable)
		usage := f.usage
		if usage == "" {
			usage = s.Usage
		}
		usage += " (" + f.variable
		if s.Default != "" {
			usage += "; default " + s.Default
		}
		cmd.Flags().String(s.Flag, "", usage+")")
	}
	environment := a.source
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		values := map[string]string{}
		a.flags = map[string]string{}
		for _, f := range flags {
			name := config.SettingOf(f.variable).Flag
			if value := cmd.Flags().Lookup(name).Value.String(); value != "" { // As WithOverrides: an empty one is not set.
				values[f.variable], a.flags[f.variable] = value, "--"+name
			}
		}
		a.source = environment.WithOverrides(values)
		return nil
	}
}

// settingName returns the name of a setting as the user gave it: "--port (APP_PORT)", or the
// variable alone.
func (a *cli) settingName(variable string) string {
	if flag := a.flags[variable]; flag != "" {
		return flag + " (" + variable + ")"
	}
	return variable
}
