package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// printContractReport tells what a keeper did. A contract for which something was left undone
// makes the command fail.
func printContractReport(r contracts.Report) error {
	if rows := contractReportRows(r); len(rows) > 0 {
		if err := printTable([]string{"TENANT", "DONE"}, rows); err != nil {
			return err
		}
	}
	if c := r.Channels; c.Created+c.ToppedUp > 0 {
		fmt.Printf("%s made, %d topped up.\n", pluralize(c.Created, "channel account"), c.ToppedUp)
	}
	if r.Checked == 0 && r.FeeCharged == 0 {
		fmt.Println("There was no contract to look at.")
	} else {
		fmt.Printf("%s looked at, %d of them with something left undone, %s paid in fees.\n", pluralize(r.Checked, "contract"), len(r.Failed), xlm(r.FeeCharged))
	}
	if len(r.Failed) > 0 {
		fmt.Fprintln(os.Stderr, "What was left undone is tried again by the workers; tenant-api contracts list --undone shows it.")
		return exitError{exitFailed}
	}
	return nil
}

func contractReportRows(r contracts.Report) (rows [][]string) {
	for _, action := range []struct {
		what string
		ids  []uuid.UUID
	}{
		{"restored", r.Restored}, {"extended", r.Extended}, {"status set", r.StatusSet},
		{"audit chain anchored", r.Anchored}, {"upgraded", r.Upgraded},
		{"deployed anew, on a network that was begun anew", r.Redeployed},
	} {
		for _, id := range action.ids {
			rows = append(rows, []string{id.String(), action.what})
		}
	}
	for id, reason := range r.Failed {
		rows = append(rows, []string{id.String(), "LEFT UNDONE: " + reason})
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return rows
}

// pluralize writes a number of things.
func pluralize(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// reconcileContracts has a keeper look at the named tenants' contracts, or at all.
func (c *stellarDeps) reconcileContracts(
	cmd *cobra.Command, names []string,
	some func(context.Context, ...uuid.UUID) (contracts.Report, error),
	all func(context.Context, func(int)) (contracts.Report, error),
) error {
	var (
		report contracts.Report
		err    error
	)
	if len(names) == 0 {
		printedAt := time.Now()
		report, err = all(cmd.Context(), func(checked int) {
			if time.Since(printedAt) >= lineInterval {
				printedAt = time.Now()
				fmt.Fprintf(os.Stderr, "%s looked at\n", pluralize(checked, "contract"))
			}
		})
	} else {
		var tenants []uuid.UUID
		if tenants, err = c.findContracts(cmd, names); err != nil {
			return err
		}
		report, err = some(cmd.Context(), tenants...)
	}
	if err != nil && report.Empty() {
		return err
	}
	// An error is told after what was done before it.
	if reportErr := printContractReport(report); err == nil {
		err = reportErr
	}
	return err
}

// findContracts finds the tenants whose contracts are to be looked at.
func (c *stellarDeps) findContracts(cmd *cobra.Command, names []string) (ids []uuid.UUID, err error) {
	for _, name := range names {
		t, err := findTenant(cmd, c.db, name)
		switch {
		case err != nil:
			return nil, err
		case !t.PurgedAt.IsZero():
			return nil, errs.Errorf(errs.KindConflict, "find contract", "the tenant %s is purged, and nobody looks after its contract any more", t.Name)
		case t.ContractID == "":
			return nil, errs.Errorf(errs.KindConflict, "find contract",
				"the tenant %s has no contract to look after: it is %s and was never live", t.Name, t.Status)
		}
		ids = append(ids, t.ID)
	}
	return ids, nil
}
