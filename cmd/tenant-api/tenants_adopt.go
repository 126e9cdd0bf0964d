package main

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// adoptFlags are the flags of "tenants adopt".
type adoptFlags struct {
	provisioning.Adoption
	in         tenant.Inputs
	variables  map[string]string
	from       string
	dryRun     bool
	parallel   int
	jsonOutput bool
}

// adoptee is one schema to adopt.
type adoptee struct {
	in       tenant.Inputs
	adoption provisioning.Adoption
}

func (a *cli) tenantsAdopt() *cobra.Command {
	var f adoptFlags
	cmd := &cobra.Command{
		Use: "adopt SCHEMA --blueprint NAME --at-version N --name NAME --admin-email ADDRESS", Short: "Make tenants of schemas that exist", Args: cobra.ArbitraryArgs,
		Long: `Makes a tenant of a schema that other means have made. The schema is compared with what the
migrations of the blueprint make up to --at-version; then it gets the schema owner, a role for the
tenant, privileges and a contract. It keeps its name, no migration runs, and no mail is sent
unless --send-mail asks for it. --dry-run shows the differences.

With --from, each row of a CSV file is a schema. Its first line names the columns: schema, name,
admin_email, admin_first_name, admin_last_name, and as needed external_id, locale, at_version,
var_NAME for each variable and metadata_KEY for each entry of the metadata; an empty cell is no
entry. A row that breaks a rule is named with its line, and nothing is adopted. The command can be
interrupted and repeated: what is adopted is skipped.`,
		Example: `  tenant-api tenants adopt clinic_0042 --blueprint clinic --at-version 40 --name "Clinic 42" --admin-email ada@clinic.example
  tenant-api tenants adopt --from clinics.csv --blueprint clinic --at-version 40 --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.in.Variables = f.variables
			all, err := f.adoptees(cmd, args)
			if err != nil {
				return err
			}
			return a.adoptTenants(cmd, f, all)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.in.Blueprint, "blueprint", "", "the blueprint that has the migrations of the schema")
	flags.IntVar(&f.Version, "at-version", 0, "number of the last migration that the schema has")
	flags.StringVar(&f.in.Name, "name", "", "the organisation's name")
	flags.StringVar(&f.in.AdminEmail, "admin-email", "", "the administrator's address")
	flags.StringVar(&f.in.AdminFirstName, "admin-first-name", provisioning.AdoptedFirstName, "the administrator's first name")
	flags.StringVar(&f.in.AdminLastName, "admin-last-name", provisioning.AdoptedLastName, "the administrator's last name")
	flags.StringVar(&f.in.ExternalID, "external-id", "", "the platform's own key")
	flags.StringToStringVar(&f.in.Metadata, "metadata", nil, "additional data, as KEY=VALUE; repeat it for several")
	flags.StringVar(&f.in.Locale, "locale", "", "the language of its mails, as de-AT; default the blueprint's")
	flags.BoolVar(&f.in.AllowConfusableName, "allow-confusable-name", false, "let the name look like that of another tenant, through letters of another script")
	flags.StringToStringVar(&f.variables, "var", nil, "a variable of the blueprint, as NAME=VALUE; repeat it for several")
	flags.StringVar(&f.from, "from", "", "a CSV file with one schema in each row")
	flags.BoolVar(&f.SendMail, "send-mail", false, "send the welcome mail to the administrator")
	flags.BoolVar(&f.dryRun, "dry-run", false, "compare only; change nothing")
	flags.IntVar(&f.parallel, "parallel", 4, "how many schemas are adopted at once")
	flags.BoolVar(&f.jsonOutput, "json", false, "print JSON")
	return cmd
}

// adoptees are the schemas that flags and arguments name.
func (f adoptFlags) adoptees(cmd *cobra.Command, args []string) ([]adoptee, error) {
	if err := requireFlag(cmd, "blueprint", "name the blueprint of the schemas"); err != nil {
		return nil, err
	}
	switch {
	case f.parallel < 1:
		return nil, usageErrorf(cmd, "--parallel is %d; give 1 or more", f.parallel)
	case f.from != "" && len(args) > 0:
		return nil, usageErrorf(cmd, "give a schema or --from, not both")
	case f.from != "":
		return readAdoptees(f)
	case len(args) != 1:
		return nil, usageErrorf(cmd, "give one schema, or --from FILE.csv")
	}
	for _, required := range []string{"at-version", "name", "admin-email"} {
		if err := requireFlag(cmd, required, "without --from it is needed"); err != nil {
			return nil, err
		}
	}
	adoption := f.Adoption
	adoption.Schema = args[0]
	return []adoptee{{f.in, adoption}}, nil
}

// adoptTenants adopts or compares the schemas, several at once.
func (a *cli) adoptTenants(cmd *cobra.Command, f adoptFlags, all []adoptee) error {
	p, err := a.openComponents(cmd)
	if err != nil {
		return err
	}
	defer p.close()
	maintenance := app.NewMaintenance(p.DB, p.Provisioning, app.Ledger{})
	r := &adoptReport{flags: f, progress: newProgressBar("schemas"), total: len(all), views: make([]dto.Adoption, len(all)), ended: make([]bool, len(all))}
	var group errgroup.Group
	group.SetLimit(f.parallel)
	for i, one := range all {
		if cmd.Context().Err() != nil {
			break
		}
		group.Go(func() error {
			r.add(i, one, adoptOne(cmd, maintenance, f, one))
			return nil
		})
	}
	_ = group.Wait()
	r.progress.clear()
	r.keepEnded()
	return r.print(cmd.Context())
}

// adoptOne adopts or compares one schema.
func adoptOne(cmd *cobra.Command, maintenance *app.Maintenance, f adoptFlags, one adoptee) dto.Adoption {
	v, err := maintenance.Adopt(cmd.Context(), one.in, one.adoption, f.dryRun)
	if err != nil {
		message := withFlags(cmd, userMessage(err))
		v.Error = &message
	}
	return v
}

// adoptReport collects the outcomes.
type adoptReport struct {
	flags    adoptFlags
	total    int
	progress *progressBar

	mu    sync.Mutex // Guards what follows, and progress.
	done  int
	views []dto.Adoption
	ended []bool // Of each view: an interruption came first otherwise.
}

// keepEnded removes the views of schemas that were not begun.
func (r *adoptReport) keepEnded() {
	var views []dto.Adoption
	for i, v := range r.views {
		if r.ended[i] {
			views = append(views, v)
		}
	}
	r.views = views
}

func (r *adoptReport) add(i int, one adoptee, v dto.Adoption) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	r.views[i], r.ended[i] = v, true
	if !r.flags.jsonOutput && v.Error != nil && !v.Skipped {
		r.progress.clear()
		fmt.Fprintf(os.Stderr, "schema %s: %s\n", singleLine(one.adoption.Schema), *v.Error)
	}
	r.progress.update(r.done, r.total)
}

// print prints what was done, and returns an error if a schema could not be adopted.
func (r *adoptReport) print(ctx context.Context) error {
	var adopted, skipped, failed, different int
	for _, v := range r.views {
		switch {
		case v.Skipped:
			skipped++
		case v.Error != nil:
			failed++
		case len(v.Missing)+len(v.Changed)+len(v.Statements) > 0:
			different++
		case v.TenantID != nil:
			adopted++
		}
	}
	if r.flags.jsonOutput {
		if err := printJSON(r.views); err != nil {
			return err
		}
	} else if err := r.printText(adopted, skipped, failed, different); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case failed+different > 0:
		return fmt.Errorf("%d of %s cannot be adopted as they are", failed+different, pluralize(r.total, "schema"))
	}
	return nil
}

func (r *adoptReport) printText(adopted, skipped, failed, different int) error {
	if !r.flags.dryRun {
		_, err := fmt.Printf("%d of %s adopted, %d were adopted before, %d failed.\n", adopted, pluralize(r.total, "schema"), skipped, failed)
		return err
	}
	for _, v := range r.views {
		for _, list := range []struct {
			word    string
			objects []string
		}{{"lacks", v.Missing}, {"differs in", v.Changed}, {"also has", v.Unmanaged}, {"needs, by a DBA:", v.Statements}} {
			for _, object := range list.objects {
				if _, err := fmt.Printf("%s %s %s\n", v.Schema, list.word, object); err != nil {
					return err
				}
			}
		}
	}
	_, err := fmt.Printf("%d of %s can be adopted; nothing was changed.\n", r.total-different-failed-skipped, pluralize(r.total, "schema"))
	return err
}
