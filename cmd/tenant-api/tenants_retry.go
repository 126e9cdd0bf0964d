package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// skipUndoFlags are the flags of commands that own steps with something left over stop.
type skipUndoFlags struct {
	steps  []string
	reason string
}

func (f *skipUndoFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.steps, "skip-undo", nil, "an own step of the blueprint whose undo is not tried any more; repeat it for several")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why the undo is skipped, for the audit log; with --skip-undo")
}

// check returns an error for flags that do not belong together.
func (f *skipUndoFlags) check(cmd *cobra.Command) error {
	switch {
	case len(f.steps) > 0:
		return requireFlag(cmd, "reason", "say why the undo is skipped")
	case cmd.Flags().Changed("reason"):
		return usageErrorf(cmd, "--reason is set without --skip-undo; name the step whose undo is to be skipped")
	}
	return nil
}

// apply skips the undo of the steps that the flags name.
func (f *skipUndoFlags) apply(cmd *cobra.Command, s *app.Services, id uuid.UUID) error {
	if len(f.steps) == 0 {
		return nil
	}
	err := s.SkipUndo(cmd.Context(), id, f.steps, f.reason)
	var faults []string
	for _, fault := range errs.FieldsOf(err) {
		flag := "--reason"
		if fault.Field == "steps" {
			flag = "--skip-undo"
		}
		faults = append(faults, flag+" "+fault.Message)
	}
	if len(faults) > 0 {
		return errs.Wrap(err, errs.KindInvalid, "skip undo", "%s", strings.Join(faults, "; "))
	}
	return err
}

func (a *cli) tenantsRetry() *cobra.Command {
	var (
		skip       skipUndoFlags
		jsonOutput bool
	)
	cmd := &cobra.Command{
		Use: "retry TENANT [--skip-undo STEP --reason TEXT]", Short: "Continue the provisioning of a tenant that is not live", Args: oneTenantArg,
		Long: `Continues a PENDING or PROVISIONING tenant that no process works on, or begins
another attempt of a FAILED one, and waits until it is ACTIVE.

An attempt that failed undoes the blueprint's own steps. What could not be undone is
left over with the other program, and no attempt begins before it is: each retry tries
it first. If it was undone by hand, --skip-undo says so, with a reason.

` + tenantHelp,
		Example: "  tenant-api tenants retry name:Clinic\n  tenant-api tenants retry name:Clinic --skip-undo REGISTER_IN_DIRECTORY --reason \"deleted by hand\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := skip.check(cmd); err != nil {
				return err
			}
			named, err := parseTenants(cmd, args)
			if err != nil {
				return err
			}
			p, err := a.openComponents(cmd, printStep)
			if err != nil {
				return err
			}
			defer p.close()
			t, err := named[0].find(cmd.Context(), p.Services)
			if err != nil {
				return err
			}
			if err := skip.apply(cmd, p.Services, t.ID); err != nil {
				return err
			}
			out, err := p.Retry(cmd.Context(), t.ID)
			return printRun(out, err, jsonOutput)
		},
	}
	skip.bind(cmd)
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

// printStep prints the progress of a run in the foreground.
func printStep(_ context.Context, e provisioning.Event) {
	line := fmt.Sprintf("%s %s", e.Step, e.Status)
	if e.Status == tenant.StepCompleted && e.Duration > 0 {
		line += " in " + e.Duration.Round(time.Millisecond).String()
	}
	if e.Message != "" {
		line += ": " + e.Message
	}
	fmt.Fprintln(os.Stderr, line)
}
