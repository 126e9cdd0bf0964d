package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// namePrefix marks an argument that is a tenant's name, and not its id.
const namePrefix = "name:"

// tenantHelp explains the argument TENANT.
const tenantHelp = "TENANT is an id, or name:NAME."

// tenantArg is an argument that names a tenant. Commands parse it before they connect.
type tenantArg struct {
	id   uuid.UUID
	name string
}

// parseTenant reads an argument; its error begins with the argument.
func parseTenant(text string) (t tenantArg, err error) {
	name, isName := strings.CutPrefix(text, namePrefix)
	if !isName {
		if t.id, err = uuid.Parse(text); err != nil {
			return t, fmt.Errorf("%q is neither a tenant's id nor name:NAME", text)
		}
		return t, nil
	}
	if t.name = name; strings.TrimSpace(name) == "" {
		return t, fmt.Errorf("%s has no name after it; give it as in name:Clinic", namePrefix)
	}
	return t, nil
}

// oneTenantArg requires one tenant.
func oneTenantArg(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageErrorf(cmd, "give one tenant, as an id or name:NAME%s", quotingHint(args))
	}
	_, err := parseTenants(cmd, args)
	return err
}

// atMostOneTenantArg allows one tenant.
func atMostOneTenantArg(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageErrorf(cmd, "give at most one tenant, as an id or name:NAME%s", quotingHint(args))
	}
	_, err := parseTenants(cmd, args)
	return err
}

// quotingHint explains arguments that are probably the words of a name.
func quotingHint(args []string) string {
	if len(args) > 1 && strings.HasPrefix(args[0], namePrefix) {
		return fmt.Sprintf("; quote a name that has blanks, as in %q", strings.Join(args, " "))
	}
	return ""
}

// parseTenants reads the arguments of a command.
func parseTenants(cmd *cobra.Command, texts []string) ([]tenantArg, error) {
	list := make([]tenantArg, len(texts))
	for i, text := range texts {
		var err error
		if list[i], err = parseTenant(text); err != nil {
			return nil, usageErrorf(cmd, "%v", err)
		}
	}
	return list, nil
}

// findArchived reads the tenant that the argument names, for a command that is about archived ones.
// Several of them can have one name: then the error has their ids.
func (t tenantArg) findArchived(ctx context.Context, s *app.Services) (tenant.Tenant, error) {
	found, err := t.find(ctx, s)
	if err != nil || t.name == "" || found.Status != tenant.StatusArchived {
		return found, err
	}
	var same []string
	for other, err := range s.All(ctx, tenant.ListQuery{Status: tenant.StatusArchived, Text: t.name}) {
		if err != nil {
			return found, err
		}
		if tenant.NameKey(other.Name) == tenant.NameKey(t.name) && other.PurgedAt.IsZero() {
			same = append(same, fmt.Sprintf("%s (archived %s)", other.ID, formatTime(other.ArchivedAt)))
		}
	}
	if len(same) > 1 {
		return found, fmt.Errorf("%d archived tenants have the name %s: %s; give the id of one", len(same), t.name, strings.Join(same, ", "))
	}
	return found, nil
}

// find reads the tenant that the argument names.
func (t tenantArg) find(ctx context.Context, s *app.Services) (tenant.Tenant, error) {
	if t.name != "" {
		return s.FindByName(ctx, t.name)
	}
	return s.Get(ctx, t.id)
}
