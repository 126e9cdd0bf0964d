package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/platform"
)

func (a *cli) platform() *cobra.Command {
	return commandGroup("platform", "Check what all tenants need of PostgreSQL, and repair it", "  tenant-api platform check", a.platformCheck(), a.platformRepair(), a.platformAcceptRestore())
}

// openPlatform opens the registry without a migration: the check is for databases where that
// does not work.
func (a *cli) openPlatform(cmd *cobra.Command) (*postgres.DB, error) {
	var database config.Database
	if err := a.read(into(&database, config.ReadDatabase)); err != nil {
		return nil, err
	}
	return app.OpenRegistry(cmd.Context(), programName, database, true)
}

func (a *cli) platformCheck() *cobra.Command {
	var jsonOutput bool
	cmd := &cobra.Command{
		Use: "check", Short: "Find what is missing in PostgreSQL: privileges, roles, owners", Args: noArgs,
		Long: fmt.Sprintf(`Finds what all tenants need of PostgreSQL and lack: privileges of the database user, the
connect role, CONNECT on the database, owners of schemas and tables, roles and logins
of tenants. Run it after a major upgrade, after a dump was restored, and after the
database got another owner. It changes nothing.

Each finding has the object and the statements that repair it. Those of a finding marked
[repairable], "tenant-api platform repair" runs. The exit code is %d when there are findings.`, exitFindings),
		Example: "  tenant-api platform check\n  tenant-api platform check --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			db, err := a.openPlatform(cmd)
			if err != nil {
				return err
			}
			defer db.Close()
			progress := newProgressBar("tenants")
			result, err := db.Platform.Check(cmd.Context(), progress.update)
			progress.clear()
			if err != nil {
				return err
			}
			if err := printPlatformCheck(result, jsonOutput); err != nil {
				return err
			}
			if len(result.Findings) > 0 {
				return exitError{exitFindings}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

func printPlatformCheck(result platform.Result, jsonOutput bool) error {
	repairable := 0
	for _, f := range result.Findings {
		if f.Repairable {
			repairable++
		}
	}
	fmt.Fprintf(os.Stderr, "%s, %d of them repairable\n", pluralize(len(result.Findings), "finding"), repairable)
	printUnchecked(result.TenantsUnchecked)
	if jsonOutput {
		return printJSON(app.NewPlatformCheck(result))
	}
	for _, f := range result.Findings {
		mark := ""
		if f.Repairable {
			mark = " [repairable]"
		}
		fmt.Printf("%s%s: %s\n", f.Check, mark, platformText(f))
		for _, statement := range f.Statements {
			fmt.Printf("    %s;\n", singleLine(statement))
		}
	}
	return nil
}

// printUnchecked says that a check was not complete.
func printUnchecked(unchecked bool) {
	if unchecked {
		fmt.Fprintln(os.Stderr, "the tenants were not checked; repair these findings and check again")
	}
}

// platformText is a finding in words.
func platformText(f platform.Finding) string {
	text := f.Object + " " + f.Message
	if f.TenantID != uuid.Nil {
		text = "tenant " + f.TenantID.String() + ": " + text
	}
	return singleLine(text)
}

func (a *cli) platformRepair() *cobra.Command {
	var dryRun, jsonOutput bool
	cmd := &cobra.Command{
		Use: "repair", Short: "Repair what the user's privileges permit, and print the SQL for the rest", Args: noArgs,
		Long: fmt.Sprintf(`Repairs what "tenant-api platform check" finds, as far as the privileges of the database
user permit. The roles of tenants and the connect role are made again, with their
privileges. Logins whose roles do not exist are ended: their passwords are not known,
and applications open others. Each tenant has a transaction of its own; an interrupted
repair is continued by the next one.

What the privileges do not permit is printed on standard output, as SQL for a DBA.
After it was run, run this again: what could not be read before, shows then. The exit
code is %d when something remains; that of a dry run is not.`, exitFailed),
		Example: "  tenant-api platform repair --dry-run\n  tenant-api platform repair > dba.sql",
		RunE: func(cmd *cobra.Command, _ []string) error {
			db, err := a.openPlatform(cmd)
			if err != nil {
				return err
			}
			defer db.Close()
			progress := newProgressBar("tenants")
			var report platform.Report
			if dryRun {
				report, err = plannedRepair(cmd, db, progress)
			} else {
				report, err = db.Platform.Repair(cmd.Context(), progress.update)
			}
			progress.clear()
			if err != nil { // It was interrupted, or the second check failed.
				printRepaired(report)
				return err
			}
			return printPlatformRepair(report, db.Pool().Config().ConnConfig.Database, dryRun, jsonOutput)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print all statements; change nothing")
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

// plannedRepair is what a repair would do.
func plannedRepair(cmd *cobra.Command, db *postgres.DB, progress *progressBar) (report platform.Report, err error) {
	result, err := db.Platform.Check(cmd.Context(), progress.update)
	report.TenantsUnchecked = result.TenantsUnchecked
	for _, f := range result.Findings {
		if f.Repairable {
			report.Repaired = append(report.Repaired, f)
		} else {
			report.Remaining = append(report.Remaining, f)
		}
	}
	return report, err
}

// printRepaired prints what was repaired, and what failed.
func printRepaired(r platform.Report) {
	for _, f := range r.Repaired {
		fmt.Fprintf(os.Stderr, "repaired: %s: %s\n", f.Check, platformText(f))
	}
	for _, f := range r.Errors {
		tenant := ""
		if f.TenantID != uuid.Nil {
			tenant = "tenant " + f.TenantID.String() + ": "
		}
		fmt.Fprintf(os.Stderr, "%scould not be repaired: %s\n", tenant, userMessage(f.Err))
	}
}

func printPlatformRepair(r platform.Report, database string, dryRun, jsonOutput bool) error {
	verb := "would be repaired"
	if !dryRun {
		verb = "repaired"
		printRepaired(r)
	}
	var err error
	if jsonOutput {
		failures := make([]dto.Unchecked, len(r.Errors))
		for i, f := range r.Errors {
			failures[i] = dto.Unchecked{TenantID: dto.ID(f.TenantID), Error: userMessage(f.Err)}
		}
		err = printJSON(dto.PlatformRepair{DryRun: dryRun, Repaired: app.PlatformFindings(r.Repaired), Remaining: app.PlatformFindings(r.Remaining), Errors: failures, TenantsUnchecked: r.TenantsUnchecked})
	} else {
		if dryRun {
			printPlatformSQL("A repair runs this", database, r.Repaired)
		}
		printPlatformSQL("Have a DBA run this", database, r.Remaining)
	}
	fmt.Fprintf(os.Stderr, "%s %s, %d remaining\n", pluralize(len(r.Repaired), "finding"), verb, len(r.Remaining))
	printUnchecked(r.TenantsUnchecked)
	if err == nil && len(r.Remaining) > 0 && !dryRun {
		err = exitError{exitFailed}
	}
	return err
}

// printPlatformSQL prints findings as a script for psql. What no statement repairs is a comment.
func printPlatformSQL(title, database string, findings []platform.Finding) {
	if len(findings) == 0 {
		return
	}
	fmt.Printf("-- %s in the database %s.\n", title, singleLine(database))
	var last []string
	for _, f := range findings {
		fmt.Printf("-- %s: %s\n", f.Check, platformText(f))
		if slices.Equal(last, f.Statements) { // One statement can repair many findings.
			continue
		}
		for _, statement := range f.Statements {
			fmt.Println(statement + ";")
		}
		last = f.Statements
	}
}
