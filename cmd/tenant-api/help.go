package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

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
	for _, s := range config.DocumentedSettings() {
		if s.Group != group {
			group = s.Group
			text.WriteString("\n" + group + ":\n")
		}
		lines := strings.Split(wrapText(s.Usage+settingNotes(s), helpWidth-settingColumn), "\n")
		fmt.Fprintf(&text, "  %-*s%s\n", settingColumn-2, s.Variable, strings.Join(lines, "\n"+strings.Repeat(" ", settingColumn)))
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// settingColumn is where the text of a setting begins: two after the longest variable.
const settingColumn = 38

// helpWidth is the most characters of a line of help, but for examples and the line of usage.
const helpWidth = 90

// wrapHelp wraps the texts of a command and its subcommands.
func wrapHelp(cmd *cobra.Command) {
	cmd.Long = wrapText(cmd.Long, helpWidth)
	for _, child := range cmd.Commands() {
		wrapHelp(child)
	}
}

// wrapText wraps the paragraphs of a text. Lines that begin with a space stay as they are.
func wrapText(text string, width int) string {
	var (
		wrapped []string
		open    bool // The last line can be continued.
	)
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || line[0] == ' ' {
			wrapped, open = append(wrapped, line), false
			continue
		}
		for word := range strings.FieldsSeq(line) {
			last := len(wrapped) - 1
			if open && utf8.RuneCountInString(wrapped[last])+1+utf8.RuneCountInString(word) <= width {
				wrapped[last] += " " + word
				continue
			}
			wrapped, open = append(wrapped, word), true
		}
	}
	return strings.Join(wrapped, "\n")
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

// wrapSlack is by how many characters the lines of flags can be longer than is asked for.
const wrapSlack = 5

// setUsageTemplate corrects lines of cobra's template: a group has no usage without a
// command, a help topic is shown as the command line that prints it, and flags are wrapped.
func setUsageTemplate(root *cobra.Command) {
	root.SetUsageTemplate(strings.NewReplacer(
		"{{if .Runnable}}\n  {{.UseLine}}{{end}}", "{{if and .Runnable (not (and .HasAvailableSubCommands .DisableFlagsInUseLine))}}\n  {{.UseLine}}{{end}}",
		".FlagUsages |", fmt.Sprintf(".FlagUsagesWrapped %d |", helpWidth-wrapSlack),
		"{{rpad .CommandPath .CommandPathPadding}}", "{{.Root.CommandPath}} help {{.Name}}  ",
	).Replace(root.UsageTemplate()))
}
