package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// helpCommand replaces cobra's, which prints an unknown command and succeeds.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [command | settings]", Short: "Show the help of a command, or all settings", DisableFlagsInUseLine: true,
		Example: "  tenant-api help tenants migrate\n  tenant-api help settings",
		RunE:    func(cmd *cobra.Command, args []string) error { return showHelp(cmd.Root(), args) },
	}
}

// showHelp prints the help of a subcommand, or of the command itself without arguments.
func showHelp(cmd *cobra.Command, args []string) error {
	for _, name := range args {
		child := findChild(cmd, name)
		if child == nil {
			return requireSubcommand(cmd, []string{name})
		}
		cmd = child
	}
	cmd.InitDefaultHelpFlag() // So that the help lists it.
	return cmd.Help()
}

func findChild(cmd *cobra.Command, name string) *cobra.Command {
	for _, child := range cmd.Commands() {
		if child.Name() == name {
			return child
		}
	}
	return nil
}

// settingsTopic is a help topic: a command that does nothing.
func settingsTopic() *cobra.Command {
	return &cobra.Command{Use: "settings", Short: "All settings, with their environment variables and defaults", Long: settingsText()}
}

func settingsText() string {
	var text strings.Builder
	text.WriteString(settingsOrder + "\n")
	group := ""
	for _, s := range config.Settings() {
		if s.Group != group {
			group = s.Group
			text.WriteString("\n" + group + ":\n")
		}
		fmt.Fprintf(&text, "  %-34s%s%s\n", s.Variable, s.Usage, settingNotes(s))
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// settingNotes are default, flag, attribute and file of a setting.
func settingNotes(s config.Setting) string {
	var notes []string
	for _, note := range [][2]string{{"default ", s.Default}, {"flag --", s.Flag}, {"provider: ", s.Attribute}, {"or ", s.File()}} {
		if note[1] != "" {
			notes = append(notes, note[0]+note[1])
		}
	}
	if len(notes) == 0 {
		return ""
	}
	return " (" + strings.Join(notes, "; ") + ")"
}

// settingsOrder says where settings come from.
const settingsOrder = `Settings come from flags, then environment variables, then defaults. Secrets, such
as DATABASE_URL, have no flag, so that no process list shows them. Each can be in a
file: DATABASE_URL_FILE=/run/secrets/database-url. A misspelt variable is a warning.`

// setUsageTemplate corrects two lines of cobra's template: a group has no usage without a
// command, and a help topic is shown as the command line that prints it.
func setUsageTemplate(root *cobra.Command) {
	root.SetUsageTemplate(strings.NewReplacer(
		"{{if .Runnable}}\n  {{.UseLine}}{{end}}", "{{if and .Runnable (not (and .HasAvailableSubCommands .DisableFlagsInUseLine))}}\n  {{.UseLine}}{{end}}",
		"{{rpad .CommandPath .CommandPathPadding}}", "{{.Root.CommandPath}} help {{.Name}}  ",
	).Replace(root.UsageTemplate()))
}
