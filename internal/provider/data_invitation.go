package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// invitationTypes are the attributes of the object invitation.
var invitationTypes = map[string]attr.Type{
	"status": types.StringType, "sent_at": types.StringType, "expires_at": types.StringType, "accepted_at": types.StringType,
}

func invitationAttribute() schema.SingleNestedAttribute {
	computed := func(text string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: text}
	}
	return schema.SingleNestedAttribute{Computed: true, MarkdownDescription: "The newest invitation of the administrator.", Attributes: map[string]schema.Attribute{
		"status":      computed("`NONE` (nobody was invited), `PENDING`, `ACCEPTED`, `EXPIRED` or `REVOKED`."),
		"sent_at":     computed("When the mail server took its mail; null before."),
		"expires_at":  computed("Until when it can be accepted."),
		"accepted_at": computed("When the administrator chose a password; null before."),
	}}
}

func invitationObject(i tenant.Invitation) (types.Object, diagnostics) {
	return types.ObjectValue(invitationTypes, map[string]attr.Value{
		"status": types.StringValue(string(i.Status)), "sent_at": nullableTime(i.SentAt),
		"expires_at": nullableTime(i.ExpiresAt), "accepted_at": nullableTime(i.AcceptedAt),
	})
}
