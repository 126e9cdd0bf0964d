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

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// printKept tells what a keeper did. A contract for which something was left undone
// makes the command fail.
func printKept(r provisioning.KeeperReport) error {
	if rows := keptRows(r); len(rows) > 0 {
		if err := table([]string{"TENANT", "DONE"}, rows); err != nil {
			return err
		}
	}
	if c := r.Channels; c.Made+c.ToppedUp > 0 {
		fmt.Printf("%s made, %d topped up.\n", counted(c.Made, "channel account"), c.ToppedUp)
	}
	if r.Looked == 0 && r.FeeCharged == 0 {
		fmt.Println("There was no contract to look at.")
	} else {
		fmt.Printf("%s looked at, %d of them with something left undone, %s paid in fees.\n", counted(r.Looked, "contract"), len(r.Undone), xlm(r.FeeCharged))
	}
	if len(r.Undone) > 0 {
		fmt.Fprintln(os.Stderr, "What was left undone is tried again by the workers; tenant-api contracts list --undone shows it.")
		return exitError{exitFailed}
	}
	return nil
}

func keptRows(r provisioning.KeeperReport) (rows [][]string) {
	for _, done := range []struct {
		what string
		ids  []uuid.UUID
	}{
		{"restored", r.Restored}, {"extended", r.Extended}, {"status set", r.StatusSet},
		{"audit chain anchored", r.Anchored}, {"upgraded", r.Upgraded},
		{"deployed anew, on a network that was begun anew", r.Redeployed},
	} {
		for _, id := range done.ids {
			rows = append(rows, []string{id.String(), done.what})
		}
	}
	for id, why := range r.Undone {
		rows = append(rows, []string{id.String(), "LEFT UNDONE: " + why})
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return rows
}

// counted writes a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// attend has a keeper look at the named tenants' contracts, or at all.
func (c *chain) attend(
	cmd *cobra.Command, names []string,
	some func(context.Context, ...uuid.UUID) (provisioning.KeeperReport, error),
	all func(context.Context, func(int)) (provisioning.KeeperReport, error),
) error {
	var (
		report provisioning.KeeperReport
		err    error
	)
	if len(names) == 0 {
		told := time.Now()
		report, err = all(cmd.Context(), func(looked int) {
			if time.Since(told) >= linePause {
				told = time.Now()
				fmt.Fprintf(os.Stderr, "%s looked at\n", counted(looked, "contract"))
			}
		})
	} else {
		var tenants []uuid.UUID
		if tenants, err = c.named(cmd, names); err != nil {
			return err
		}
		report, err = some(cmd.Context(), tenants...)
	}
	if err != nil && report.Empty() {
		return err
	}
	// An error is told after what was done before it.
	if failed := printKept(report); err == nil {
		err = failed
	}
	return err
}

// named finds the tenants whose contracts are to be looked at.
func (c *chain) named(cmd *cobra.Command, names []string) (ids []uuid.UUID, err error) {
	for _, name := range names {
		t, err := findTenant(cmd, c.db, name)
		switch {
		case err != nil:
			return nil, err
		case !t.PurgedAt.IsZero():
			return nil, provisioning.Errorf(provisioning.KindConflict, "find contract", "the tenant %s is purged, and nobody looks after its contract any more", t.Name)
		case t.ContractID == "":
			return nil, provisioning.Errorf(provisioning.KindConflict, "find contract",
				"the tenant %s has no contract to look after: it is %s and was never live", t.Name, t.Status)
		}
		ids = append(ids, t.ID)
	}
	return ids, nil
}
