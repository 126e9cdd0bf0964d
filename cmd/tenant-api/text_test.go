package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// TestSettingsText: each setting has its variable and its text apart, also the longest.
func TestSettingsText(t *testing.T) {
	t.Parallel()
	text := settingsText()
	for _, s := range config.DocumentedSettings() {
		if !strings.Contains(text, "\n  "+s.Variable+"  ") {
			t.Errorf("%s has no line, or runs into its text", s.Variable)
		}
	}
	if whole := strings.Join(strings.Fields(text), " "); !strings.Contains(whole, "in each process that sends steps (or BLUEPRINT_SECRET_*_FILE)") {
		t.Error(text)
	}
}

func TestWrapText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "",
		"one two three":                "one two\nthree",
		"one\ntwo":                     "one two",
		"one\n\ntwo":                   "one\n\ntwo",
		"one\n  two  three four\nfive": "one\n  two  three four\nfive",
		"incomprehensible é":           "incomprehensible\né",
		"äöü äöüß":                     "äöü äöüß",
	} {
		if got := wrapText(text, 8); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestHelp_Width: no line of a command's text and flags is longer than a terminal is wide.
func TestHelp_Width(t *testing.T) {
	t.Parallel()
	checked := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		_, flags, _ := strings.Cut(cmd.UsageString(), "\nFlags:\n")
		for line := range strings.Lines(cmd.Long + "\n" + flags) {
			checked++
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > helpWidth {
				t.Errorf("%s: %d characters: %s", cmd.CommandPath(), n, line)
			}
		}
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk((&cli{source: func(string) string { return "" }}).root())
	if checked < 300 {
		t.Errorf("only %d lines", checked)
	}
}

// TestWriteTable: the head stands above its columns, also where the last cells of the first row are
// empty, and no line ends with spaces.
func TestWriteTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := writeTable(&out, []string{"NAME", "EXPIRES", "LAST USED"}, [][]string{{"first", "", ""}, {"second one", "2026-01-31 10:00 UTC", "today"}, {"third"}}); err != nil {
		t.Fatal(err)
	}
	want := "NAME        EXPIRES               LAST USED\nfirst\nsecond one  2026-01-31 10:00 UTC  today\nthird\n"
	if out.String() != want {
		t.Errorf("%s, want\n%s", out.String(), want)
	}
}
