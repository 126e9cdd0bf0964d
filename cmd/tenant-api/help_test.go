package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

var exampleWord = regexp.MustCompile(`"[^"]*"|\S+`)

// TestExamples: every command has examples, and they are accepted.
func TestExamples(t *testing.T) {
	t.Parallel()
	root := func() *cobra.Command { return (&cli{source: func(string) string { return "" }}).root() }
	examples := 0
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		if cmd.Example == "" && cmd.Runnable() {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Example) {
			if !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: %q is not indented", cmd.CommandPath(), line)
			}
			_, line, isOurs := strings.Cut(line, "tenant-api ")
			if !isOurs || strings.HasPrefix(line, "completion") {
				continue
			}
			examples++
			if i := strings.IndexAny(line, ";)>"); i >= 0 { // The rest is the shell's.
				line = line[:i]
			}
			words := exampleWord.FindAllString(line, -1)
			for i := range words {
				words[i] = strings.Trim(words[i], `"`)
			}
			found, rest, err := root().Find(words)
			if err == nil {
				err = found.ParseFlags(rest)
			}
			if err == nil {
				err = found.ValidateArgs(found.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: tenant-api %s: %v", cmd.CommandPath(), line, err)
			}
		}
		for _, child := range cmd.Commands() {
			check(child)
		}
	}
	check(root())
	if examples < 25 {
		t.Errorf("only %d examples", examples)
	}
}

// TestSettings_Flags: the flags in the list of settings are those of commands.
func TestSettings_Flags(t *testing.T) {
	t.Parallel()
	var found []string
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, s := range config.Settings() {
			if f := cmd.Flags().Lookup(s.Flag); s.Flag != "" && f != nil && strings.Contains(f.Usage, "("+s.Variable) && !slices.Contains(found, s.Variable) {
				found = append(found, s.Variable)
			}
		}
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk((&cli{source: func(string) string { return "" }}).root())
	for _, s := range config.Settings() {
		if s.Flag != "" != slices.Contains(found, s.Variable) {
			t.Errorf("%s: no command has --%s", s.Variable, s.Flag)
		}
	}
	if len(found) < 10 {
		t.Errorf("only %v", found)
	}
}
