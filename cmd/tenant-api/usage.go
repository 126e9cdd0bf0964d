package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// usageError is an error in the command line.
type usageError struct {
	command string // Its help describes the remedy.
	text    string // Begins with the command.
}

func (e usageError) Error() string { return e.text }

// usageErrorf returns a usageError of a command.
func usageErrorf(cmd *cobra.Command, format string, args ...any) error {
	return usageError{cmd.CommandPath(), cmd.CommandPath() + ": " + fmt.Sprintf(format, args...)}
}

// lacks returns the usageError that a command has no such flag or subcommand.
func lacks(cmd *cobra.Command, what string) error {
	return usageError{cmd.CommandPath(), cmd.CommandPath() + " has no " + what}
}

// flagError replaces the errors of package pflag, which quote functions of Go.
func flagError(cmd *cobra.Command, err error) error {
	var (
		value   *pflag.InvalidValueError
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
		syntax  *pflag.InvalidSyntaxError
	)
	switch {
	case errors.As(err, &value):
		remedy := "give another value"
		switch value.GetFlag().Value.Type() {
		case "int":
			remedy = "give a whole number"
		case "duration":
			remedy = "give a duration such as 24h"
		case "bool":
			remedy = "give true or false"
		case "stringSlice":
			remedy = "give values separated by commas, or repeat the flag"
		}
		return usageErrorf(cmd, "--%s is %q; %s", value.GetFlag().Name, value.GetValue(), remedy)
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return lacks(cmd, "flag -"+unknown.GetSpecifiedName())
	case errors.As(err, &unknown):
		return lacks(cmd, "flag --"+unknown.GetSpecifiedName())
	case errors.As(err, &missing):
		return usageErrorf(cmd, "--%s has no value; give one after it", missing.GetSpecifiedName())
	case errors.As(err, &syntax):
		return usageErrorf(cmd, "%s is not a flag; give --name value or --name=value", syntax.GetSpecifiedFlag())
	}
	return usageErrorf(cmd, "%v", err)
}

// nameFlags makes a usageError of an error about fields that the user gave as flags.
func nameFlags(cmd *cobra.Command, err error) error {
	var faults []string
	for _, f := range errs.FieldsOf(err) {
		flag := flagOf(f.Field)
		if cmd.Flags().Lookup(flag) == nil {
			return err
		}
		faults = append(faults, "--"+flag+" "+withFlags(cmd, f.Message))
	}
	if len(faults) == 0 {
		return err
	}
	return usageErrorf(cmd, "%s", strings.Join(faults, "; "))
}

// nameInvalid is nameFlags for values that break a rule. In other errors, such as that of a name that is
// taken, flags are named in place of fields.
func nameInvalid(cmd *cobra.Command, err error) error {
	if errs.KindOf(err) == errs.KindInvalid {
		return nameFlags(cmd, err)
	}
	var e *errs.Error
	if !errors.As(err, &e) {
		return err
	}
	named := *e
	named.Message, named.Err = withFlags(cmd, errs.SafeMessage(err)), err
	return &named
}

// camelCase matches names of fields of several words, as the API has them.
var camelCase = regexp.MustCompile(`\b[a-z]+(?:[A-Z][a-z]+)+\b`)

// withFlags replaces the fields in a text that the command has a flag for.
func withFlags(cmd *cobra.Command, text string) string {
	return camelCase.ReplaceAllStringFunc(text, func(field string) string {
		if cmd.Flags().Lookup(flagOf(field)) == nil {
			return field
		}
		return "--" + flagOf(field)
	})
}

// flagOf is the flag for a field of a tenant: admin-email for adminEmail.
func flagOf(field string) string {
	if field == "variables" {
		return "var"
	}
	var flag strings.Builder
	for _, r := range field {
		if unicode.IsUpper(r) {
			flag.WriteByte('-')
		}
		flag.WriteRune(unicode.ToLower(r))
	}
	return flag.String()
}

// requireFlag rejects a flag that is missing or empty.
func requireFlag(cmd *cobra.Command, name, remedy string) error {
	if f := cmd.Flags().Lookup(name); f.Changed && strings.Trim(f.Value.String(), "[] ") != "" {
		return nil
	}
	return usageErrorf(cmd, "--%s is not set; %s", name, remedy)
}

// requireCanary checks --canary, which several commands have: 0 could mean none or the
// default.
func requireCanary(cmd *cobra.Command, canary int) error {
	if canary < -1 || canary == 0 {
		return usageErrorf(cmd, "--canary is %d; give 1 or more, or -1 for none", canary)
	}
	return nil
}

// noArgs rejects arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageErrorf(cmd, "it takes no argument %q", args[0])
	}
	return nil
}

// exactlyOneArg requires one argument.
func exactlyOneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageErrorf(cmd, "give %s", what)
		}
		return nil
	}
}

// commandGroup returns a command that has only subcommands.
func commandGroup(use, short, example string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use: use, Short: short, Example: example, DisableFlagsInUseLine: true,
		Args: cobra.ArbitraryArgs, RunE: requireSubcommand,
	}
	g.AddCommand(commands...)
	return g
}

// makesRegistry lets a command make a registry that is missing. Without it, a command that reads a wrong
// database says so, and leaves nothing there.
func makesRegistry(cmd *cobra.Command) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SetContext(app.MakeRegistry(cmd.Context()))
		return run(cmd, args)
	}
	return cmd
}

// requireSubcommand runs a command that has only subcommands: it prints help, or rejects an
// unknown subcommand.
func requireSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	if args[0] == "help" && cmd.HasParent() { // As in: tenant-api tenants help list
		return showHelp(cmd, args[1:])
	}
	suggestion := ""
	cmd.SuggestionsMinimumDistance = 2
	if suggestions := cmd.SuggestionsFor(args[0]); len(suggestions) > 0 {
		suggestion = fmt.Sprintf("; did you mean %q?", suggestions[0])
	}
	return lacks(cmd, fmt.Sprintf("command %q%s", args[0], suggestion))
}
