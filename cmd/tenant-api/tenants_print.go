package main

import (
	"fmt"
	"strconv"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// hiddenOutputs has the names alone.
func hiddenOutputs(o tenant.Outputs) tenant.Outputs {
	hidden := tenant.Outputs{}
	for name := range o {
		hidden[name] = o.String()
	}
	return hidden
}

func printTenant(t tenant.Tenant, node string, entries []tenant.LogEntry) error {
	rows := [][]string{}
	for _, row := range [][2]string{
		{"Name", t.Name}, {"Status", statusOf(t)}, {"Error", t.ProvisioningError},
		{"Administrator", administratorOf(t)},
		{"Welcome mail", string(t.WelcomeEmail)}, {"Invitation", invitationOf(t.Invitation)},
		{"External id", t.ExternalID}, {"Managed by", t.ManagedBy}, {"Locale", t.Locale},
		{"Blueprint", blueprintOf(t)}, {"Variables", formatPairs(t.Variables)}, {"Outputs", formatPairs(t.Outputs)},
		{"Protected", protectionOf(t)}, {"Legal hold", holdOf(t.Hold)},
		{"Schema", t.SchemaName}, {"Database role", t.DatabaseRole}, {"Database node", node}, {"Contract", t.ContractID},
		{"Created", formatTime(t.CreatedAt)}, {"First live", formatTime(t.ActivatedAt)}, {"Suspended", formatTime(t.SuspendedAt)}, {"Archived", formatTime(t.ArchivedAt)}, {"Purged", formatTime(t.PurgedAt)},
		{"Trace", traceOf(entries)},
	} {
		if row[1] != "" {
			rows = append(rows, row[:])
		}
	}
	if err := printTable([]string{"Id", t.ID.String()}, rows); err != nil {
		return err
	}
	fmt.Println()
	rows = rows[:0]
	for _, e := range entries {
		duration := ""
		if e.Duration > 0 {
			duration = fmt.Sprintf("%.1f ms", float64(e.Duration.Microseconds())/1000)
		}
		rows = append(rows, []string{strconv.Itoa(e.Attempt), string(e.Step), string(e.Status), duration, e.Error})
	}
	return printTable([]string{"ATTEMPT", "STEP", "STATUS", "DURATION", "ERROR"}, rows)
}

// traceOf is the id of the tenant's trace; empty without.
func traceOf(entries []tenant.LogEntry) string {
	for _, e := range entries {
		if e.TraceID != "" {
			return e.TraceID
		}
	}
	return ""
}

// administratorOf is the administrator with the address; empty after a purge.
func administratorOf(t tenant.Tenant) string {
	if t.AdminEmail == "" {
		return ""
	}
	return t.AdminFirstName + " " + t.AdminLastName + " <" + t.AdminEmail + ">"
}

// protectionOf says that a tenant has deletion protection; empty without.
func protectionOf(t tenant.Tenant) string {
	if t.DeletionProtection {
		return "neither archived nor purged"
	}
	return ""
}

// holdOf describes a legal hold; empty without.
func holdOf(h tenant.Hold) string {
	if !h.Active() {
		return ""
	}
	return "since " + formatTime(h.Since) + ", set by " + h.By + ": " + h.Reason
}

// statusOf is a tenant's status, with what ARCHIVED alone does not say.
func statusOf(t tenant.Tenant) string {
	if !t.PurgedAt.IsZero() {
		return string(t.Status) + ", purged"
	}
	return string(t.Status)
}

// invitationOf is the status of an invitation, with the time that matters.
func invitationOf(i tenant.Invitation) string {
	text := string(i.Status)
	switch i.Status {
	case invitation.StatusPending:
		text += ", until " + formatTime(i.ExpiresAt)
		if i.SentAt.IsZero() {
			text += ", mail not confirmed"
		}
	case invitation.StatusExpired:
		text += " " + formatTime(i.ExpiresAt)
	case invitation.StatusAccepted:
		text += " " + formatTime(i.AcceptedAt)
	case invitation.StatusNone, invitation.StatusRevoked:
	}
	return text
}

// blueprintOf is what a tenant was made from, with what its schema was last brought to.
func blueprintOf(t tenant.Tenant) string {
	text := t.Blueprint
	if t.BlueprintRevision != 0 {
		text += fmt.Sprintf(", revision %d", t.BlueprintRevision)
	}
	if t.SchemaVersion != 0 {
		text += fmt.Sprintf(", schema version %d", t.SchemaVersion)
	}
	return text
}
