package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// previewFlags are the flags of blueprints preview.
type previewFlags struct{ mail, locale, out string }

func (a *cli) blueprintsPreview() *cobra.Command {
	var f previewFlags
	cmd := &cobra.Command{
		Use: "preview FOLDER", Short: "Show the mails of a blueprint", Args: exactlyOneArg(folderArg),
		Long: `Renders the mails of a blueprint with sample data, as a tenant with the locale would get them:
the blueprint's, or the product's where it has none. It needs no database and sends nothing. With
--out, both forms of each mail are written to files, else the text is printed.`,
		Example: "  tenant-api blueprints preview ./clinic --mail welcome --locale de\n  tenant-api blueprints preview ./clinic --out ./previews",
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.mail != "" && !slices.Contains(blueprint.MailNames(), blueprint.MailName(f.mail)) {
				return usageErrorf(cmd, "--mail is %q; give welcome, failure or reminder", f.mail)
			}
			if f.locale != "" {
				if err := tenant.CheckLocale(f.locale); err != nil {
					return usageErrorf(cmd, "--locale %s", err)
				}
			}
			files, err := readBlueprint(args[0])
			var b blueprint.Blueprint
			if err == nil {
				b, err = blueprint.Parse(files)
			}
			if err != nil {
				return printProblems(args[0], err)
			}
			return f.preview(b)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.mail, "mail", "", "welcome, failure or reminder; default all")
	flags.StringVar(&f.locale, "locale", "", "the tenant's locale, as de-AT; default the blueprint's")
	flags.StringVar(&f.out, "out", "", "the folder for the files")
	return cmd
}

// printProblems prints what is wrong with the files of a blueprint.
func printProblems(path string, err error) error {
	var problems blueprint.Problems
	if !errors.As(err, &problems) {
		return err
	}
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, singleLine(p.String()))
	}
	return fmt.Errorf("the blueprint %s has %s", path, pluralize(len(problems), "problem"))
}

func (f previewFlags) preview(b blueprint.Blueprint) error {
	for i, name := range f.names(b) {
		m, err := mail.Preview(b, name, f.locale)
		if err == nil && f.out != "" {
			err = f.write(b, name, m)
		}
		if err != nil {
			return err
		}
		if f.out == "" {
			if i > 0 {
				fmt.Println()
			}
			fmt.Printf("Subject: %s\n\n%s", m.Subject, m.Text)
		}
	}
	return nil
}

// names are the mails to show; by default those that a tenant can get.
func (f previewFlags) names(b blueprint.Blueprint) []blueprint.MailName {
	switch {
	case f.mail != "":
		return []blueprint.MailName{blueprint.MailName(f.mail)}
	case b.Extends == blueprint.BaseNone:
		return []blueprint.MailName{blueprint.MailWelcome, blueprint.MailFailure}
	}
	return blueprint.MailNames()
}

// write writes both forms. Their names are none of a blueprint's, so that --out cannot replace
// the templates.
func (f previewFlags) write(b blueprint.Blueprint, name blueprint.MailName, m blueprint.RenderedMail) error {
	const logo = "preview-logo.png"
	base := "preview-" + string(name)
	if f.locale != "" {
		base += "." + f.locale
	}
	files := []struct {
		name    string
		content []byte
	}{
		{base + ".txt", []byte("Subject: " + m.Subject + "\n\n" + m.Text)},
		{base + ".html", []byte(strings.ReplaceAll(m.HTML, string(blueprint.LogoURL), logo))}, // A browser knows no cid.
		{logo, b.Logo()},
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil { //nolint:gosec // Sample data alone.
		return err
	}
	for _, file := range files {
		if file.content == nil {
			continue
		}
		path := filepath.Join(f.out, file.name)
		if err := os.WriteFile(path, file.content, 0o644); err != nil { //nolint:gosec // Sample data alone.
			return err
		}
		if file.name != logo {
			fmt.Fprintln(os.Stderr, "Wrote "+path)
		}
	}
	return nil
}
