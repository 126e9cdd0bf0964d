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

// printContractReport prints what the contract reconciler did. A failed contract makes the
// command fail.
func printContractReport(r contracts.Report) error {
	if rows := contractReportRows(r); len(rows) > 0 {
		if err := printTable([]string{"TENANT", "DONE"}, rows); err != nil {
			return err
		}
	}
	if c := r.Channels; c.Created+c.ToppedUp > 0 {
		fmt.Printf("%s created, %d topped up.\n", pluralize(c.Created, "channel account"), c.ToppedUp)
	}
	if r.Checked == 0 && r.FeeCharged == 0 {
		fmt.Println("No contracts to reconcile.")
	} else {
		fmt.Printf("%s checked, %d failed, %s paid in fees.\n", pluralize(r.Checked, "contract"), len(r.Failed), contracts.FormatXLM(r.FeeCharged))
	}
	if len(r.Failed) > 0 {
		fmt.Fprintln(os.Stderr, "Workers retry failed contracts; tenant-api contracts list --failed shows them.")
		return exitError{exitFailed}
	}
	return nil
}

func contractReportRows(r contracts.Report) (rows [][]string) {
	if r.RegistryDeployed {
		rows = append(rows, []string{registryName, "deployed"})
	}
	for _, action := range []struct {
		what string
		ids  []uuid.UUID
	}{
		{"restored", r.Restored}, {"extended", r.Extended}, {"status set", r.StatusSet},
		{"audit chain anchored", r.Anchored}, {"upgraded", r.Upgraded},
		{"redeployed after a network reset", r.Redeployed},
	} {
		for _, id := range action.ids {
			rows = append(rows, []string{contractOwner(id), action.what})
		}
	}
	for id, reason := range r.Failed {
		rows = append(rows, []string{contractOwner(id), "FAILED: " + reason})
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return rows
}

// registryName is how the registry is shown where others are tenants.
const registryName = "registry"

// contractOwner is the name of what has a contract: uuid.Nil is the registry.
func contractOwner(id uuid.UUID) string {
	if id == uuid.Nil {
		return registryName
	}
	return id.String()
}

// pluralize formats a number with its noun.
func pluralize(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// reconcileContracts reconciles the contracts of the named tenants, or of all.
func (c *stellarDeps) reconcileContracts(
	cmd *cobra.Command, named []tenantArg,
	some func(context.Context, ...uuid.UUID) (contracts.Report, error),
	all func(context.Context, func(int)) (contracts.Report, error),
) error {
	var (
		report contracts.Report
		err    error
	)
	if len(named) == 0 {
		printedAt := time.Now()
		report, err = all(cmd.Context(), func(checked int) {
			if time.Since(printedAt) >= lineInterval {
				printedAt = time.Now()
				fmt.Fprintf(os.Stderr, "%s checked\n", pluralize(checked, "contract"))
			}
		})
	} else {
		var tenants []uuid.UUID
		if tenants, err = c.findContracts(cmd, named); err != nil {
			return err
		}
		report, err = some(cmd.Context(), tenants...)
	}
	if err != nil && report.Empty() {
		return err
	}
	// Print what was done before the error.
	if reportErr := printContractReport(report); err == nil {
		err = reportErr
	}
	return err
}

// findContracts returns the ids of the tenants whose contracts must be reconciled.
func (c *stellarDeps) findContracts(cmd *cobra.Command, named []tenantArg) (ids []uuid.UUID, err error) {
	for _, one := range named {
		t, err := one.find(cmd.Context(), c.services)
		switch {
		case err != nil:
			return nil, err
		case !t.PurgedAt.IsZero():
			return nil, errs.Errorf(errs.KindConflict, "find contract", "tenant %s is purged; its contract is no longer managed", t.Name)
		case t.ContractID == "":
			return nil, errs.Errorf(errs.KindConflict, "find contract",
				"tenant %s has no contract to reconcile: it is %s and was never live", t.Name, t.Status)
		}
		ids = append(ids, t.ID)
	}
	return ids, nil
}
