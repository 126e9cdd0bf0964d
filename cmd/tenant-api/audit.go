package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// auditFlags are those of "audit".
type auditFlags struct {
	tenant  string
	after   int64
	limit   int
	printed bool // As JSON.
}

func (a *cli) audit() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use: "audit [--tenant TENANT] [--after SEQ] [--limit N]", Short: "Print the audit events of a tenant, or of the registry", Args: noArgs,
		Long: `Prints the audit events of a tenant, or without --tenant those of the registry, which are
of no tenant: API keys created and revoked, rejected requests about no tenant or without
authentication, restores that were accepted, published blueprints. The oldest come first.
"tenant-api tenants verify" checks that none was changed.

` + tenantHelp,
		Example: "  tenant-api audit\n  tenant-api audit --tenant name:Clinic\n  tenant-api audit --after 1200 --limit 100 --json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.printAudit(cmd, f) },
	}
	cmd.Flags().StringVar(&f.tenant, "tenant", "", "the tenant: an id, or name:NAME (default: the registry's own events)")
	cmd.Flags().Int64Var(&f.after, "after", 0, "only events after the one with this number")
	cmd.Flags().IntVar(&f.limit, "limit", 0, "maximum number of events; 0 for all")
	cmd.Flags().BoolVar(&f.printed, "json", false, "print JSON")
	return cmd
}

func (a *cli) printAudit(cmd *cobra.Command, f auditFlags) error {
	if f.after < 0 || f.limit < 0 {
		return usageErrorf(cmd, "--after is %d and --limit %d; give numbers from 0", f.after, f.limit)
	}
	s, id, err := a.openChain(cmd, f.tenant)
	if err != nil {
		return err
	}
	defer s.close()
	events := []dto.AuditEvent{}
	for e, err := range audit.All(cmd.Context(), s, id, f.after) {
		if err != nil {
			return err
		}
		events = append(events, dto.NewAuditEvent(e))
		if len(events) == f.limit {
			break
		}
	}
	if f.printed {
		return printJSON(dto.AuditPage{Events: events})
	}
	rows := make([][]string, len(events))
	for i, e := range events {
		detail, err := json.Marshal(e.Detail)
		if err != nil {
			return err
		}
		caller := e.Caller.Caller()
		rows[i] = []string{strconv.FormatInt(e.Seq, 10), formatTime(e.At), e.Action, e.Outcome, caller.String(), cmp.Or(caller.Address, "-"), string(detail)}
	}
	if err := printTable([]string{"SEQ", "AT", "ACTION", "OUTCOME", "CALLER", "FROM", "DETAIL"}, rows); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, pluralize(len(events), "event"))
	return nil
}

// openChain opens the services, which the caller closes, and finds the tenant of an audit chain;
// an empty argument means the registry chain.
func (a *cli) openChain(cmd *cobra.Command, tenantText string) (*registryServices, uuid.UUID, error) {
	if tenantText == "" && !cmd.Flags().Changed("tenant") {
		s, err := a.services(cmd.Context())
		return s, uuid.Nil, err
	}
	s, t, err := a.openTenant(cmd, tenantText, tenantArg.find)
	return s, t.ID, err
}
