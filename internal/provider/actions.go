package provider

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func newRetryAction() action.Action {
	return &tenantAction{
		typeSuffix: "tenant_retry", operation: "retry",
		description:     "Continues the provisioning of a tenant that is `PENDING`, `FAILED`, or `PROVISIONING` without a running process, and waits until it is `ACTIVE`.",
		extraAttributes: skipUndoAttributes(),
		run: func(ctx context.Context, c actionCall) error {
			out, err := c.service.Retry(ctx, c.id)
			if err != nil {
				return err
			}
			c.progress("tenant %q is %s", out.Tenant.Name, out.Tenant.Status)
			addWarnings(c.diags, out)
			return nil
		},
	}
}

// skipUndoAttributes are those of actions that wait for the undo of own steps.
func skipUndoAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"skip_undo": schema.ListAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "Names of the blueprint's own steps whose undo is not tried any more: a person undid them, or accepts what is left over. Needs `reason`.",
		},
		"reason": schema.StringAttribute{Optional: true, MarkdownDescription: "Why the undo is skipped, for the audit log; with `skip_undo`."},
	}
}

func purgeAttributes() map[string]schema.Attribute {
	attributes := skipUndoAttributes()
	attributes["confirm"] = schema.StringAttribute{Required: true, MarkdownDescription: "The tenant's exact name, as a protection against purging another tenant."}
	return attributes
}

func newInviteAction() action.Action {
	return &tenantAction{
		typeSuffix: "tenant_invite", operation: "invite the administrator of",
		description: "Sends the administrator of an `ACTIVE` tenant the welcome mail again, with a new invitation. Earlier invitations become invalid.",
		run: func(ctx context.Context, c actionCall) error {
			out, err := c.service.Invite(ctx, c.id)
			switch {
			case err != nil:
				return err
			case out.MailUnderWay:
				addWarnings(c.diags, out)
				return nil
			case len(out.Warnings) > 0: // The mail is all that this action does, so a warning is an error here.
				return errs.Wrap(errors.New(out.Warnings[0]), errs.KindTransient, "send welcome mail", "%s", out.Warnings[0])
			}
			c.progress("the welcome mail went to %s", out.Tenant.AdminEmail)
			return nil
		},
	}
}

func newSuspendAction() action.Action {
	return &tenantAction{
		typeSuffix: "tenant_suspend", operation: "suspend",
		description: "Takes an `ACTIVE` tenant out of service for a time: no role but the owner's can use its schema, its logins with their sessions and its invitations end. Where the resource writes `suspended`, that decides at the next apply.",
		run: func(ctx context.Context, c actionCall) error {
			out, err := c.service.Suspend(ctx, c.id)
			if err != nil {
				return err
			}
			for _, warning := range out.Warnings {
				c.diags.AddWarning("Sessions of a suspended tenant", "The tenant is suspended, but "+warning+".")
			}
			c.progress("tenant %q is %s", out.Tenant.Name, out.Tenant.Status)
			return nil
		},
	}
}

func newResumeAction() action.Action {
	return &tenantAction{
		typeSuffix: "tenant_resume", operation: "resume",
		description: "Brings a `SUSPENDED` tenant back into service. Its logins and invitations stay ended.",
		run:         runMoveBack(tenantService.Resume),
	}
}

func newUnarchiveAction() action.Action {
	return &tenantAction{
		typeSuffix: "tenant_unarchive", operation: "unarchive",
		description: "Takes an archived tenant that was live back into service, with its schema and data. Import it afterwards to manage it.",
		run:         runMoveBack(tenantService.Unarchive),
	}
}

// runMoveBack runs a move that brings a tenant back into service, and says what it is then.
func runMoveBack(move func(tenantService, context.Context, uuid.UUID) (tenant.Tenant, error)) func(context.Context, actionCall) error {
	return func(ctx context.Context, c actionCall) error {
		t, err := move(c.service, ctx, c.id)
		if err != nil {
			return err
		}
		c.progress("tenant %q is %s again", t.Name, t.Status)
		return nil
	}
}

func newPurgeAction() action.Action {
	return &tenantAction{
		typeSuffix: "tenant_purge", operation: "purge",
		description: "Drops schema and database role of an archived tenant **for good**, once the retention period (`PURGE_RETENTION`, 720h; in `api` mode the server's) is over. " +
			"The registry row, its log and a certificate stay.",
		extraAttributes: purgeAttributes(),
		run: func(ctx context.Context, c actionCall) error {
			certificate, err := c.service.Purge(ctx, c.id, c.inputs.confirm, c.settings.retention)
			if err != nil {
				return err
			}
			rows := int64(0)
			for _, n := range certificate.Rows {
				rows += n
			}
			c.progress("schema %s of %q and its role are dropped, with %d rows; the registry keeps the certificate", certificate.SchemaName, certificate.Name, rows)
			return nil
		},
	}
}
