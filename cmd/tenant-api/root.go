package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// cli is the state that all commands share: the source of the settings.
type cli struct{ source config.Source }

// settingFlag is a flag that overrides the environment variable of a setting.
type settingFlag struct{ name, variable, usage string }

var logFlags = []settingFlag{
	{"log-level", config.LogLevel, "debug, info, warn or error (default info)"},
	{"log-format", config.LogFormat, "text or json (default text)"},
}

func newRoot(environment config.Source) *cobra.Command {
	a := &cli{source: environment}
	root := &cobra.Command{
		Use:   "tenant-api",
		Short: "Onboard healthcare organisations over HTTP",
		Long: `tenant-api onboards healthcare organisations onto the platform: registry record,
PostgreSQL schema, roles and first administrator, Soroban contract, welcome mail.
It serves the REST API, runs its jobs, and manages the registry and the contracts on
the Stellar network.

Settings come from flags, else from environment variables, else from defaults.
Secrets come only from environment variables, so that no process list shows them:
DATABASE_URL (or DB_HOST, DB_PORT, DB_USERNAME, DB_PASSWORD, DB_NAME, DB_SSLMODE),
SOROBAN_NETWORK, SOROBAN_RPC_URL, SOROBAN_CONTRACT_DEPLOYER_SECRET, SOROBAN_CHANNELS,
MAIL_HOST, MAIL_PORT, MAIL_USER, MAIL_PASSWORD, MAIL_FROM, MAIL_TLS, APP_URL.
devstack -- tenant-api serve   starts local services for all of these settings.`,
		Version:           buildVersion(),
		Args:              cobra.ArbitraryArgs,
		RunE:              requireSubcommand,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetVersionTemplate(versionLine() + "\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		a.serve(), a.worker(), a.migrate(), a.apikey(), a.tenants(), a.channels(), a.contracts(), a.openapi(), a.healthcheck(),
		&cobra.Command{
			Use: "version", Short: "Print the version", Args: noArgs,
			Run: func(cmd *cobra.Command, _ []string) { cmd.Println(versionLine()) },
		},
	)
	root.SetOut(stdout{})
	return root
}

// bindSettings adds flags for settings to a command.
func (a *cli) bindSettings(cmd *cobra.Command, flags ...settingFlag) {
	for _, f := range flags {
		cmd.Flags().String(f.name, "", fmt.Sprintf("%s (%s)", f.usage, f.variable))
	}
	environment := a.source
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		values := map[string]string{}
		cmd.Flags().Visit(func(flag *pflag.Flag) {
			for _, f := range flags {
				if f.name == flag.Name {
					values[f.variable] = flag.Value.String()
				}
			}
		})
		a.source = environment.WithOverrides(values)
		return nil
	}
}

// noArgs rejects arguments with a usageError that names the command.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no argument %q", cmd.CommandPath(), args[0])}
	}
	return nil
}

// exactlyOneArg requires one argument.
func exactlyOneArg(usage string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("%s takes one argument: %s", cmd.CommandPath(), usage)}
		}
		return nil
	}
}

// commandGroup returns a command that has only subcommands.
func commandGroup(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use: use, Short: short,
		Args: cobra.ArbitraryArgs, RunE: requireSubcommand,
	}
	g.AddCommand(commands...)
	return g
}

// requireSubcommand runs a command that has only subcommands: it prints help, or rejects an
// unknown subcommand.
func requireSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	suggestion := ""
	cmd.SuggestionsMinimumDistance = 2
	if suggestions := cmd.SuggestionsFor(args[0]); len(suggestions) > 0 {
		suggestion = fmt.Sprintf("; did you mean %q?", suggestions[0])
	}
	return usageError{fmt.Errorf("%s has no command %q%s", cmd.CommandPath(), args[0], suggestion)}
}
