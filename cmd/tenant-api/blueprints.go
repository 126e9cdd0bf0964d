package main

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/publish"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/webhook"
)

func (a *cli) blueprints() *cobra.Command {
	return commandGroup("blueprints", "Try, publish and activate what tenants are made from", "  tenant-api blueprints list",
		makesRegistry(a.blueprintsValidate()), a.blueprintsPreview(), makesRegistry(a.blueprintsPublish()), a.blueprintsActivate(), a.blueprintsRetire(), a.blueprintsList(), a.blueprintsShow())
}

const folderArg = "one blueprint: its folder, or a tar file of it"

func (a *cli) blueprintsValidate() *cobra.Command {
	var jsonOutput bool
	cmd := &cobra.Command{
		Use: "validate FOLDER", Short: "Try a blueprint out and publish nothing", Args: exactlyOneArg(folderArg),
		Long: `Checks the files of a blueprint, makes a schema from them that is dropped again, and says
what each new migration does to a tenant that is in use. FOLDER can be a tar file.`,
		Example: "  tenant-api blueprints validate ./clinic",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withBlueprint(cmd, args[0], func(b *publish.Blueprints, files fs.FS) error {
				r, err := b.Validate(cmd.Context(), files)
				if err != nil {
					return err
				}
				a.warnOfSecrets(files)
				return printRevision(r, jsonOutput)
			})
		},
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

func (a *cli) blueprintsPublish() *cobra.Command {
	var jsonOutput, activate bool
	cmd := &cobra.Command{
		Use: "publish FOLDER [--activate]", Short: "Publish a revision of a blueprint", Args: exactlyOneArg(folderArg),
		Long: `Tries a blueprint out, as validate does, and stores it in the registry as a revision. Equal
files are the same revision. New tenants get the active revision; those that exist get it from
tenants migrate.`,
		Example: "  tenant-api blueprints publish ./clinic --activate\n  tenant-api tenants migrate --blueprint clinic",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withBlueprint(cmd, args[0], func(b *publish.Blueprints, files fs.FS) error {
				r, err := b.Publish(cmd.Context(), files, activate)
				if err != nil {
					return err
				}
				a.warnOfSecrets(files)
				return printRevision(r, jsonOutput)
			})
		},
	}
	cmd.Flags().BoolVar(&activate, "activate", false, "give it to new tenants at once")
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

// warnOfSecrets warns of secrets of own steps that are not set here: without them tenants fail.
func (a *cli) warnOfSecrets(files fs.FS) {
	b, err := blueprint.Parse(files)
	if err != nil {
		return // Cannot be: it was tried out.
	}
	w, _ := config.ReadWebhook(a.source) // Its other settings are not used here.
	if missing := webhook.MissingSecrets(b, w.Secret); len(missing) > 0 {
		fmt.Fprintf(os.Stderr, "Warning: %s not set here. Set it in each process that sends steps: worker, serve, tenants retry and purge, Terraform in database mode.\n", isOrAre(missing))
	}
}

// isOrAre is "A is", or "A, B are".
func isOrAre(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names, ", ") + " are"
}

func (a *cli) blueprintsActivate() *cobra.Command {
	return &cobra.Command{
		Use: "activate NAME REVISION", Short: "Give a revision to new tenants", Args: cobra.ArbitraryArgs,
		Long: `Gives a revision of a blueprint to tenants that are made from now on, also an older one. A
retired blueprint is in use again. Tenants that exist stay as they are until tenants migrate.`,
		Example: "  tenant-api blueprints activate clinic 2",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageErrorf(cmd, "give the name of a blueprint and the number of a revision")
			}
			revision, err := strconv.Atoi(args[1])
			if err != nil || revision < 1 {
				return usageErrorf(cmd, "the revision is %q; give its number, such as 2", args[1])
			}
			return a.withBlueprints(cmd, func(b *publish.Blueprints) error {
				if err := b.Activate(cmd.Context(), args[0], revision); err != nil {
					return err
				}
				fmt.Fprintf(os.Stderr, "New tenants of the blueprint %s get revision %d.\n", args[0], revision)
				return nil
			})
		},
	}
}

func (a *cli) blueprintsRetire() *cobra.Command {
	return &cobra.Command{
		Use: "retire NAME", Short: "Make no new tenants from a blueprint", Args: exactlyOneArg("the name of one blueprint"),
		Long:    `Ends that new tenants are made from a blueprint. Its tenants stay; activate brings it back.`,
		Example: "  tenant-api blueprints retire clinic",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withBlueprints(cmd, func(b *publish.Blueprints) error {
				if err := b.Retire(cmd.Context(), args[0]); err != nil {
					return err
				}
				fmt.Fprintf(os.Stderr, "The blueprint %s makes no new tenants.\n", args[0])
				return nil
			})
		},
	}
}

func (a *cli) blueprintsList() *cobra.Command {
	var jsonOutput bool
	cmd := &cobra.Command{
		Use: "list", Short: "List blueprints", Args: noArgs, Example: "  tenant-api blueprints list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withBlueprints(cmd, func(b *publish.Blueprints) error {
				all, err := b.List(cmd.Context())
				if err != nil {
					return err
				}
				views, rows := []dto.Blueprint{}, [][]string{}
				for _, s := range all {
					views = append(views, dto.NewBlueprint(s))
					rows = append(rows, []string{s.Name, numberOrDash(s.ActiveRevision), numberOrDash(s.SchemaVersion), strconv.Itoa(s.Tenants), strconv.Itoa(s.TenantsBehind), formatTime(s.RetiredAt)})
				}
				if jsonOutput {
					return printJSON(views)
				}
				return printTable([]string{"NAME", "ACTIVE", "SCHEMA VERSION", "TENANTS", "BEHIND", "RETIRED"}, rows)
			})
		},
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

func (a *cli) blueprintsShow() *cobra.Command {
	var jsonOutput bool
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Show a blueprint and its revisions", Args: exactlyOneArg("the name of one blueprint"),
		Example: "  tenant-api blueprints show clinic",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withBlueprints(cmd, func(b *publish.Blueprints) error {
				s, err := b.Get(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if jsonOutput {
					return printJSON(dto.NewBlueprint(s))
				}
				return printBlueprint(s)
			})
		},
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

// withBlueprints calls f with the blueprints of the registry.
func (a *cli) withBlueprints(cmd *cobra.Command, f func(*publish.Blueprints) error) error {
	db, err := a.registry(cmd.Context())
	if err != nil {
		return err
	}
	defer db.Close()
	return f(db.Blueprints)
}

// withBlueprint calls f with the blueprints of the registry and the files of one. The files are
// checked first: that needs no database.
func (a *cli) withBlueprint(cmd *cobra.Command, path string, f func(*publish.Blueprints, fs.FS) error) error {
	files, err := readBlueprint(path)
	if err == nil {
		_, err = blueprint.Parse(files)
	}
	if err == nil {
		err = a.withBlueprints(cmd, func(b *publish.Blueprints) error { return f(b, files) })
	}
	return printProblems(path, err)
}

// readBlueprint reads a folder, or a tar file.
func readBlueprint(path string) (fs.FS, error) {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		return blueprint.ReadDir(path)
	}
	file, err := os.Open(path) //nolint:gosec // The caller names it.
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // It was read.
	return blueprint.ReadTar(file)
}

// numberOrDash shows 0 as a dash.
func numberOrDash(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}
