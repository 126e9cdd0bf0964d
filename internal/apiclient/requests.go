package apiclient

import (
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// createRequest has the inputs of a tenant in the form of the API.
type createRequest struct {
	Name                string            `json:"name"`
	AdminEmail          string            `json:"adminEmail"`
	AdminFirstName      string            `json:"adminFirstName"`
	AdminLastName       string            `json:"adminLastName"`
	AdminPassword       string            `json:"adminPassword,omitempty"`
	ExternalID          string            `json:"externalId,omitempty"`
	ManagedBy           string            `json:"managedBy,omitempty"`
	Metadata            map[string]string `json:"metadata,omitempty"`
	Locale              string            `json:"locale,omitempty"`
	Blueprint           string            `json:"blueprint,omitempty"`
	Variables           map[string]string `json:"variables,omitempty"`
	AllowConfusableName bool              `json:"allowConfusableName,omitempty"`
	Protection          *bool             `json:"deletionProtection,omitempty"`
	Unarchive           bool              `json:"unarchiveExisting,omitempty"`
}

func newCreateRequest(in tenant.Inputs) createRequest {
	return createRequest{
		Name: in.Name, AdminEmail: in.AdminEmail, AdminFirstName: in.AdminFirstName, AdminLastName: in.AdminLastName,
		AdminPassword: in.AdminPassword.Reveal(), ExternalID: in.ExternalID, ManagedBy: in.ManagedBy, Metadata: in.Metadata,
		Locale: in.Locale, Blueprint: in.Blueprint, Variables: in.Variables, AllowConfusableName: in.AllowConfusableName,
		Protection: in.DeletionProtection, Unarchive: in.UnarchiveExisting,
	}
}

// updateRequest updates all fields that can change.
type updateRequest struct {
	Name                string            `json:"name"`
	AdminEmail          string            `json:"adminEmail"`
	AdminFirstName      string            `json:"adminFirstName"`
	AdminLastName       string            `json:"adminLastName"`
	AdminPassword       string            `json:"adminPassword,omitempty"`
	ExternalID          string            `json:"externalId"` // An empty string removes it.
	ManagedBy           string            `json:"managedBy"`
	Metadata            map[string]string `json:"metadata"` // Never null: an empty map empties it.
	Locale              string            `json:"locale"`
	Blueprint           string            `json:"blueprint,omitempty"`
	Variables           map[string]string `json:"variables"` // As metadata.
	AllowConfusableName bool              `json:"allowConfusableName"`
	Protection          *bool             `json:"deletionProtection,omitempty"`
}

func newUpdateRequest(in tenant.Inputs) updateRequest {
	c := updateRequest{
		Name: in.Name, AdminEmail: in.AdminEmail, AdminFirstName: in.AdminFirstName, AdminLastName: in.AdminLastName,
		AdminPassword: in.AdminPassword.Reveal(), ExternalID: in.ExternalID, ManagedBy: in.ManagedBy, Metadata: in.Metadata,
		Locale: in.Locale, Blueprint: in.Blueprint, Variables: in.Variables, AllowConfusableName: in.AllowConfusableName,
		Protection: in.DeletionProtection,
	}
	if c.Metadata == nil {
		c.Metadata = map[string]string{}
	}
	if c.Variables == nil {
		c.Variables = map[string]string{}
	}
	return c
}

// purge is the request body for deleting an archived tenant's data.
type purge struct {
	Confirm       string `json:"confirm"`
	RetentionMs   int64  `json:"retentionMs"`
	SkipRetention bool   `json:"skipRetention,omitempty"`
}

// newPurge is the body of a purge, and of its check.
func newPurge(confirm string, retention time.Duration) purge {
	return purge{Confirm: confirm, RetentionMs: ceil(retention, time.Millisecond), SkipRetention: retention == provisioning.SkipRetention}
}

// withReason is the request body of a change that has a reason.
type withReason struct {
	Reason string `json:"reason"`
}

// ceil returns a duration in units, rounded up, so that it is never too short.
func ceil(d, unit time.Duration) int64 {
	n := int64(d / unit)
	if d%unit > 0 {
		n++
	}
	return max(n, 0)
}
