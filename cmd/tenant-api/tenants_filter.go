package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// tenantFilterFlags are the flags that filter a list of tenants.
type tenantFilterFlags struct {
	q             tenant.ListQuery
	status        string
	invited       string
	metadata      []string
	after, before string
	held, behind  bool
	suspended     bool
}

func (f *tenantFilterFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.status, "status", "", "only tenants with this status")
	cmd.Flags().StringVar(&f.q.Text, "search", "", "only tenants with this text in the name or the admin's address")
	cmd.Flags().StringVar(&f.q.Blueprint, "blueprint", "", "only tenants that were made from this blueprint")
	cmd.Flags().StringVar(&f.invited, "invitation", "", "only tenants whose administrator's newest invitation has this status")
	cmd.Flags().StringArrayVar(&f.metadata, "metadata", nil, "KEY=VALUE: only tenants whose metadata has that; repeat it for several")
	cmd.Flags().StringVar(&f.q.ManagedBy, "managed-by", "", "only tenants that this manages")
	cmd.Flags().BoolVar(&f.held, "held", false, "only tenants under a legal hold; --held=false for those without one")
	cmd.Flags().BoolVar(&f.suspended, "suspended", false, "only tenants that are suspended, or were when they were archived; --suspended=false for the others")
	cmd.Flags().BoolVar(&f.behind, "behind", false, "only tenants that tenants migrate would bring to a newer revision; --behind=false for the others. Reads all tenants")
	cmd.Flags().StringVar(&f.after, "created-after", "", "only tenants that were created after this time, such as 2026-01-31 or 2026-01-31T12:00:00Z")
	cmd.Flags().StringVar(&f.before, "created-before", "", "only tenants that were created before this time")
}

// query converts the flags.
func (f *tenantFilterFlags) query(cmd *cobra.Command) (q tenant.ListQuery, err error) {
	q = f.q
	q.Status, q.Invitation = tenant.Status(strings.ToUpper(f.status)), invitation.Status(strings.ToUpper(f.invited))
	if q.Status != "" && !q.Status.Known() {
		return q, usageErrorf(cmd, "--status is %q; give PENDING, PROVISIONING, ACTIVE, SUSPENDED, FAILED or ARCHIVED", f.status)
	}
	if q.Invitation != "" && !q.Invitation.Known() {
		return q, usageErrorf(cmd, "--invitation is %q; give NONE, PENDING, ACCEPTED, EXPIRED or REVOKED", f.invited)
	}
	if cmd.Flags().Changed("blueprint") {
		if err := tenant.CheckBlueprint(q.Blueprint); err != nil {
			return q, usageErrorf(cmd, "--blueprint %s", err)
		}
	}
	if cmd.Flags().Changed("held") {
		q.Held = &f.held
	}
	if cmd.Flags().Changed("suspended") {
		q.Suspended = &f.suspended
	}
	if cmd.Flags().Changed("behind") {
		q.Behind = &f.behind
	}
	if q.Metadata, err = parsePairs(cmd, "metadata", f.metadata); err != nil {
		return q, err
	}
	if q.CreatedAfter, err = parseTime(cmd, "created-after", f.after); err == nil {
		q.CreatedBefore, err = parseTime(cmd, "created-before", f.before)
	}
	return q, err
}

// parseTime reads a flag with a time, or a day, which begins at midnight UTC.
func parseTime(cmd *cobra.Command, flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageErrorf(cmd, "--%s is %q; give a day such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z", flag, text)
}
