package provider

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func newResumeAction() action.Action {
	return &tenantAction{
		name: "tenant_resume", tried: "resume",
		description: "Continues the provisioning of a tenant that is `PENDING`, `PROVISIONING` and nobody's work, or `FAILED`, and waits until it is `ACTIVE`.",
		act: func(ctx context.Context, c actionCall) error {
			out, err := c.service.Resume(ctx, c.id)
			if err != nil {
				return err
			}
			c.tell("tenant %q is %s", out.Tenant.Name, out.Tenant.Status)
			addWarnings(c.diags, out)
			return nil
		},
	}
}

func newResendAction() action.Action {
	return &tenantAction{
		name: "tenant_resend_welcome_email", tried: "send the welcome mail of",
		description: "Sends the administrator of an `ACTIVE` tenant the welcome mail again, with another invitation. Earlier invitations end.",
		act: func(ctx context.Context, c actionCall) error {
			out, err := c.service.ResendWelcome(ctx, c.id)
			switch {
			case err != nil:
				return err
			case len(out.Warnings) > 0: // Nothing else was asked for, so this is a failure.
				return provisioning.Wrap(errors.New(out.Warnings[0]), provisioning.KindTransient, "send welcome mail", "%s", out.Warnings[0])
			}
			c.tell("the welcome mail went to %s", out.Tenant.AdminEmail)
			return nil
		},
	}
}

func newRestoreAction() action.Action {
	return &tenantAction{
		name: "tenant_restore", tried: "restore",
		description: "Takes an archived tenant, which was live, back into service with its schema and data. Import it afterwards to manage it.",
		act: func(ctx context.Context, c actionCall) error {
			t, err := c.service.Restore(ctx, c.id)
			if err != nil {
				return err
			}
			c.tell("tenant %q is %s again", t.Name, t.Status)
			return nil
		},
	}
}

func newPurgeAction() action.Action {
	return &tenantAction{
		name: "tenant_purge", tried: "purge",
		description: "Drops schema and database role of an archived tenant **for good**, once the retention period (`PURGE_RETENTION`, 720h; in `api` mode the server's) is over. " +
			"The registry row, its log and a certificate stay.",
		more: map[string]schema.Attribute{
			"confirm": schema.StringAttribute{Required: true, MarkdownDescription: "The tenant's name, typed out: it shows that this tenant is meant."},
		},
		act: func(ctx context.Context, c actionCall) error {
			certificate, err := c.service.Purge(ctx, c.id, c.confirm, c.settings.retention)
			if err != nil {
				return err
			}
			rows := int64(0)
			for _, n := range certificate.Rows {
				rows += n
			}
			c.tell("schema %s of %q and its role are dropped, with %d rows; the registry keeps the certificate", certificate.SchemaName, certificate.Name, rows)
			return nil
		},
	}
}
