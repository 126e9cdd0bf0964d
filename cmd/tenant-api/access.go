package main

import (
	"cmp"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
)

func (a *cli) access() *cobra.Command {
	return commandGroup("access", "Report who opened database logins of a tenant", "  tenant-api access report --tenant name:Clinic", a.accessReport())
}

func (a *cli) accessReport() *cobra.Command {
	var (
		named   string
		printed bool
	)
	cmd := &cobra.Command{
		Use: "report --tenant TENANT", Short: "List the database logins that were opened for a tenant, and why", Args: noArgs,
		Long: `Lists every database login that was opened for a tenant's schema: who opened it, from
where and why, until when it was valid, and when it ended. It reads the audit events, so
that logins are listed that ended long ago. Of a purged tenant only the times are left.
CREDENTIAL_REASON=required refuses a login without a reason. Own steps of blueprints open
logins without one; the step is listed instead.

` + tenantHelp,
		Example: "  tenant-api access report --tenant name:Clinic\n  tenant-api access report --tenant name:Clinic --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := requireFlag(cmd, "tenant", "give a tenant, as an id or name:NAME"); err != nil {
				return err
			}
			s, t, err := a.openTenant(cmd, named, tenantArg.find)
			if err != nil {
				return err
			}
			defer s.close()
			logins, err := credentials.Report(audit.All(cmd.Context(), s, t.ID, 0), time.Now())
			if err != nil {
				return err
			}
			return printAccess(dto.NewAccessReport(t.ID, logins), printed)
		},
	}
	cmd.Flags().StringVar(&named, "tenant", "", "the tenant: an id, or name:NAME")
	cmd.Flags().BoolVar(&printed, "json", false, "print JSON")
	return cmd
}

func printAccess(r dto.AccessReport, printed bool) error {
	if printed {
		return printJSON(r)
	}
	text := func(s *string) string {
		if s == nil {
			return "-"
		}
		return *s
	}
	at := func(t *time.Time) string {
		if t == nil {
			return "-"
		}
		return formatTime(*t)
	}
	rows := make([][]string, len(r.Logins))
	for i, l := range r.Logins {
		reason := text(l.Reason)
		if l.Step != nil {
			reason = "step " + *l.Step
		}
		ended := at(l.EndedAt)
		if l.EndedAt == nil && l.ID != nil {
			ended = "open"
		}
		caller := l.Caller.Caller()
		rows[i] = []string{formatTime(l.OpenedAt), text(l.Username), caller.String(), cmp.Or(caller.Address, "-"), at(l.ValidUntil), ended, reason}
	}
	if err := printTable([]string{"OPENED", "LOGIN", "BY", "FROM", "VALID UNTIL", "ENDED", "REASON"}, rows); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, pluralize(len(r.Logins), "login"))
	return nil
}
